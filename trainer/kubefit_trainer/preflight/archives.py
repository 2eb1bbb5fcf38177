"""Images and labels in NumPy's files, read without NumPy; the images stay untouched."""

import ast
import struct
import sys
import zipfile
import zlib
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kubefit.api.recipe import Images, LabelKind, NpyFiles
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight.labels import Labels, numbered, places, table

_MAGIC = b"\x93NUMPY"
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, struct.error, SyntaxError, ValueError)
_CODES = {
    **{"i1": "b", "i2": "h", "i4": "i", "i8": "q"},
    **{"u1": "B", "u2": "H", "u4": "I", "u8": "Q"},
    **{"b1": "b", "f4": "f", "f8": "d"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayHeader:
    """Shape and element type of an array, e.g. `(1797, 8, 8)` and `|u1`."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What is known of labelled images in arrays without reading the images."""

    images: ArrayHeader
    labels: Labels


def read(
    path: Path, spec: Images, kind: LabelKind, *, known: list[str] | None, field: str
) -> Archive:
    """Checks an archive; `field` is the path of the field `npz` that names it.

    `known` are the classes of the training images, absent for these themselves.

    Raises:
        ConfigurationError: file or arrays are missing, or are not labelled images.

    """
    _check_file(path, field=field)
    with _damage_told(path, "NumPy archive", field=field), zipfile.ZipFile(path) as archive:
        with _member(archive, path, key=spec.images_key, field=field) as stream:
            images = _images(stream, f"array {spec.images_key!r} of {path}", field=field)
        with _member(archive, path, key=spec.labels_key, field=field) as stream:
            what = f"labels {spec.labels_key!r} of {path}"
            labels = _Read(stream, what, spec.labels_key, kind, field).labels(known)
    _check_numbers(
        (images.shape[0], f"{field}: {path} has {images.shape[0]} images in {spec.images_key!r}"),
        (len(labels), f"labels in {spec.labels_key!r}"),
    )
    return Archive(images=images, labels=labels)


def read_pair(
    files: NpyFiles, volume: Path, kind: LabelKind, *, known: list[str] | None, field: str
) -> Archive:
    """The same of two files; `field` is the path of the field `npy` that names them."""
    path, labels_path = volume / files.images, volume / files.labels
    _check_file(path, field=f"{field}.images")
    _check_file(labels_path, field=f"{field}.labels")
    with _damage_told(path, ".npy file", field=f"{field}.images"), path.open("rb") as stream:
        images = _images(stream, str(path), field=f"{field}.images")
        size = stream.tell() + _elements(images.shape)
        if path.stat().st_size < size:
            raise EOFError("it breaks off")
    with (
        _damage_told(labels_path, ".npy file", field=f"{field}.labels"),
        labels_path.open("rb") as stream,
    ):
        read = _Read(stream, f"labels of {labels_path}", "label", kind, f"{field}.labels")
        labels = read.labels(known)
    _check_numbers(
        (images.shape[0], f"{field}: {images.shape[0]} images in {path}"),
        (len(labels), f"labels in {labels_path}"),
    )
    return Archive(images=images, labels=labels)


def _check_file(path: Path, *, field: str) -> None:
    if not path.is_file():
        what = "is not a file" if path.exists() else "does not exist"
        raise ConfigurationError(f"{field}: {path} {what}")


@contextmanager
def _damage_told(path: Path, what: str, *, field: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise ConfigurationError(f"{field}: {path} is not a {what}: {error}") from error


def _check_numbers(images: tuple[int, str], labels: tuple[int, str]) -> None:
    if images[0] != labels[0]:
        raise ConfigurationError(f"{images[1]} but {labels[0]} {labels[1]}")


def _images(stream: IO[bytes], what: str, *, field: str) -> ArrayHeader:
    header = _header(stream)
    colours = header.shape[3] if len(header.shape) == 4 else 1
    if len(header.shape) not in (3, 4) or colours not in (1, 3) or header.dtype != "|u1":
        raise ConfigurationError(
            f"{field}: {what} must be uint8 of shape (images, height, width) or (images, height,"
            f" width, 1 or 3), not {header.dtype} of {header.shape}"
        )
    if not header.shape[0]:
        raise ConfigurationError(f"{field}: {what} has no images")
    return header


@dataclass(frozen=True, slots=True)
class _Read:
    """Labels from the stream of an array."""

    stream: IO[bytes]
    what: str
    name: str
    """What a single number is called."""
    kind: LabelKind
    field: str

    def labels(self, known: list[str] | None) -> Labels:
        header = _header(self.stream)
        if self.kind is LabelKind.SINGLE_LABEL:
            self._check(header, "integers of shape (images,)", letters="iu", dimensions=(1,))
            found = [int(label) for label in self._elements(header)]
            where = f"{self.field}: {self.what}"
            return numbered(found, names=None, known=known, where=where)
        wanted = "0 and 1 of shape (images, classes)"
        if self.kind is LabelKind.MULTI_LABEL:
            self._check(header, wanted, letters="iufb", dimensions=(2,))
        else:
            wanted = "numbers of shape (images,) or (images, numbers)"
            self._check(header, wanted, letters="iufb", dimensions=(1, 2))
        names = [self.name]
        if len(header.shape) == 2:
            names = places(header.shape[1], known=known)
        return table(
            self._elements(header),
            names=names,
            known=known,
            kind=self.kind,
            where=f"{self.field}: {self.what}",
        )

    def _check(
        self, header: ArrayHeader, wanted: str, *, letters: str, dimensions: tuple[int, ...]
    ) -> None:
        right = header.dtype[1] in letters and header.dtype[1:] in _CODES
        if not right or len(header.shape) not in dimensions or not header.shape[-1]:
            raise ConfigurationError(
                f"{self.field}: {self.what} must be {wanted}, not {header.dtype} of {header.shape}"
            )

    def _elements(self, header: ArrayHeader) -> "array[int] | array[float]":
        """In the order of rows, whatever the byte order."""
        values = array(_CODES[header.dtype[1:]], self.stream.read())
        if len(values) != _elements(header.shape):
            raise EOFError("it breaks off")
        if header.dtype[0] == (">" if sys.byteorder == "little" else "<"):
            values.byteswap()
        return values


def _elements(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


def _member(archive: zipfile.ZipFile, path: Path, *, key: str, field: str) -> IO[bytes]:
    names = archive.namelist()
    if f"{key}.npy" not in names:
        present = ", ".join(sorted(name.removesuffix(".npy") for name in names)) or "nothing"
        raise ConfigurationError(f"{field}: {path} has no array {key!r}, only {present}")
    return archive.open(f"{key}.npy")


def _header(stream: IO[bytes]) -> ArrayHeader:
    """Reads the header of a `.npy` stream (format of `numpy.lib.format`, versions 1 to 3)."""
    if stream.read(6) != _MAGIC:
        raise zipfile.BadZipFile("it does not begin as NumPy's arrays do")
    major = stream.read(2)[0]
    width, code = (2, "<H") if major == 1 else (4, "<I")
    (length,) = struct.unpack(code, stream.read(width))
    fields = ast.literal_eval(stream.read(length).decode("utf-8"))
    if fields["fortran_order"] and len(fields["shape"]) > 1:
        raise ValueError("its elements lie column by column; save numpy.ascontiguousarray of it")
    dtype = fields["descr"]
    return ArrayHeader(shape=fields["shape"], dtype=dtype if isinstance(dtype, str) else "record")
