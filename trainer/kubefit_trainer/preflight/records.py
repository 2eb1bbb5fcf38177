"""Images in TFRecord files of `tf.train.Example`, found without TensorFlow.

A file is records one after the other: length (8 bytes), checksum (4), data, checksum (4). Of each
example only the labels are read and where the image lies; the image itself is skipped over. The
layouts are those of `tensorflow/core/lib/io/record_writer.h` and
`tensorflow/core/example/{example,feature}.proto`.
"""

import io
import mmap
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from kubefit_trainer.failure import ConfigurationError

_LENGTH = struct.Struct("<Q")
_CHECKSUM = struct.Struct("<I")
_BEFORE, _AFTER = 12, 4
"""Bytes around the data of a record."""
_GZIP = b"\x1f\x8b\x08"

Value = int | float | bytes


class Span(NamedTuple):
    """A stretch of a file."""

    start: int
    end: int


@dataclass(slots=True)
class RecordTable:
    """Where the image of each record lies."""

    files: list[Path]
    _file: "array[int]" = field(default_factory=lambda: array("I"))
    _start: "array[int]" = field(default_factory=lambda: array("Q"))
    _length: "array[int]" = field(default_factory=lambda: array("Q"))

    def add(self, file: int, image: Span) -> None:
        """Appends an image of the file of that number."""
        self._file.append(file)
        self._start.append(image.start)
        self._length.append(image.end - image.start)

    def __len__(self) -> int:
        """Number of images."""
        return len(self._file)

    def name(self, sample: int) -> str:
        """Where the image lies."""
        return f"at byte {self._start[sample]} of {self.files[self._file[sample]]}"

    def size(self, sample: int) -> None:
        """Not known without a look at the image."""

    def open(self, sample: int) -> BinaryIO:
        """The encoded image as a file."""
        with self.files[self._file[sample]].open("rb", buffering=0) as file:
            file.seek(self._start[sample])
            return io.BytesIO(file.read(self._length[sample]))


def read(
    files: list[Path], *, image_key: str, label_key: str, field: str
) -> Iterator[tuple[int, Span, list[Value]]]:
    """File number, place of the image and values of the label of each record, in order.

    `field` is the path of the field that names the files. An example without the label has no
    values.

    Raises:
        ConfigurationError: a file is missing or damaged, or an example has no image of that name.

    """
    for number, path in enumerate(files):
        for record, data, span in _records(path, field=field):
            where = f"{field}: record {record} of {path}"
            yield number, *_example(data, span, image_key, label_key, where=where)


def _example(
    data: mmap.mmap, span: Span, image_key: str, label_key: str, *, where: str
) -> tuple[Span, list[Value]]:
    try:
        features = dict(_features(data, span))
        if image_key in features:
            (image,) = _bytes_of(data, features[image_key])
            label = features.get(label_key)
            return image, [] if label is None else list(_values(data, label))
    except (LookupError, ValueError, struct.error) as error:
        raise ConfigurationError(
            f"{where} is no tf.train.Example with one encoded image in {image_key!r}"
        ) from error
    raise ConfigurationError(
        f"{where} has no feature {image_key!r}, only {', '.join(sorted(features)) or 'nothing'}"
    )


def _records(path: Path, *, field: str) -> Iterator[tuple[int, mmap.mmap, Span]]:
    """Number, file and data of each record of a file."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            if not size:
                return
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                if _is_compressed(data):
                    raise ConfigurationError(
                        f"{field}: {path} is compressed, which does not allow any order; write it"
                        " without compression, as images are compressed themselves"
                    )
                start = record = 0
                while start < size:
                    end = _end(data, start, size)
                    if end + _AFTER > size:
                        raise ConfigurationError(
                            f"{field}: {path} breaks off in record {record}, or is no TFRecord file"
                        )
                    yield record, data, Span(start + _BEFORE, end)
                    start, record = end + _AFTER, record + 1
    except OSError as error:
        raise ConfigurationError(f"{field}: {path}: {error.strerror}") from error


def _is_compressed(data: mmap.mmap) -> bool:
    """Whether a file begins as gzip does; a record of such a length has its checksum too."""
    checksum = _CHECKSUM.pack(_masked_crc32c(data[: _LENGTH.size]))
    return data[:3] == _GZIP and data[_LENGTH.size : _BEFORE] != checksum


def _masked_crc32c(data: bytes) -> int:
    """Checksum of a few bytes, as `tensorflow/core/lib/hash/crc32c.h` defines it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _end(data: mmap.mmap, start: int, size: int) -> int:
    if start + _BEFORE > size:
        return size
    return start + _BEFORE + int(_LENGTH.unpack_from(data, start)[0])


def _features(data: mmap.mmap, span: Span) -> Iterator[tuple[str, Span]]:
    """Name and place of each feature of an example."""
    for features in _fields(data, span, 1):
        for entry in _fields(data, features, 1):
            (key,) = _fields(data, entry, 1)
            (value,) = _fields(data, entry, 2)
            yield data[key.start : key.end].decode(), value


def _bytes_of(data: mmap.mmap, feature: Span) -> Iterator[Span]:
    for values in _fields(data, feature, 1):
        yield from _fields(data, values, 1)


def _values(data: mmap.mmap, feature: Span) -> Iterator[Value]:
    """Elements of a feature: bytes, floats or integers."""
    for span in _bytes_of(data, feature):
        yield data[span.start : span.end]
    for values in _fields(data, feature, 2):
        for packed in _fields(data, values, 1):
            for (number,) in struct.iter_unpack("<f", data[packed.start : packed.end]):
                yield float(number)
    for values in _fields(data, feature, 3):
        for place, end in _fields(data, values, 1):
            while place < end:
                integer, place = _varint(data, place)
                yield integer - 2**64 if integer >= 2**63 else integer


def _fields(data: mmap.mmap, span: Span, number: int) -> Iterator[Span]:
    """Contents of each field of that number of a message."""
    place = span.start
    while place < span.end:
        key, place = _varint(data, place)
        wire = key & 7
        if wire == 2:
            length, place = _varint(data, place)
            end = place + length
        elif wire == 0:
            _, end = _varint(data, place)
        else:
            end = place + {1: 8, 5: 4}[wire]
        if end > span.end:
            raise ValueError("a field is longer than what it is part of")
        if key >> 3 == number:
            yield Span(place, end)
        place = end


def _varint(data: mmap.mmap, place: int) -> tuple[int, int]:
    """An integer in groups of seven bits, lowest first, and the place after it."""
    result = shift = 0
    while True:
        byte = data[place]
        place += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, place
        shift += 7
        if shift > 63:
            raise ValueError("an integer does not end")
