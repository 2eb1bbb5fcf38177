"""What `kubefit data pack` writes: tar shards of images, an index of where each lies, and labels.

    OUT/dataset.json      kind and names of the labels, number of images and of shards, what was
                          left out
    OUT/index.bin         24 bytes an image: shard, offset, length, height, width
    OUT/labels.bin        int32: the class of each image; or else, for each name, one byte (0 or 1)
                          or with regression a float32
    OUT/splits.bin        int8: place of each image's split in `manifests.SPLITS`, where it is given
    OUT/weights.bin       float64: weight of each image in the loss, where it is given
    OUT/00000.tar ...     the images, named CLASS/FILE; unpacked they are class folders again

All numbers are little-endian. Reading an image is one read at a known place, in any order. Imports
neither TensorFlow nor NumPy.
"""

import io
import json
import os
import struct
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as filled_with
from pathlib import Path
from typing import Any, BinaryIO

from kubefit.api.recipe import LabelKind
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight.labels import Labels, numbered, table

DESCRIPTION, INDEX = "dataset.json", "index.bin"
LABELS, SPLITS, WEIGHTS = "labels.bin", "splits.bin", "weights.bin"
FORMAT = "kubefit-pack-2"
ENTRY = struct.Struct("<IQIII")
"""Shard, offset and length in bytes of an image, and its height and width as they are stored."""
TYPES = {LabelKind.SINGLE_LABEL: "i", LabelKind.MULTI_LABEL: "B", LabelKind.REGRESSION: "f"}
"""Of the numbers in `LABELS`, as in `array`."""
_KEPT_OPEN = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A packed set of images."""

    folder: Path
    kind: LabelKind
    names: list[str]
    """Of the classes, or of the numbers that are to be predicted."""
    entries: bytes
    """`ENTRY` of each image, one after the other."""
    numbers: "array[Any]"
    """What `LABELS` holds."""
    splits: Sequence[int] | None
    weights: Sequence[float] | None
    _shards: dict[int, int] = filled_with(default_factory=dict)
    """File descriptors: to open a file anew for each image is slow on a network."""

    def __len__(self) -> int:
        """Number of images."""
        return len(self.entries) // ENTRY.size

    def labels(self, *, known: list[str] | None, field: str) -> Labels:
        """What is known of the images, told by the `known` names, if given.

        Raises:
            ConfigurationError: a class or number of the pack is not among them.

        """
        where = f"{field}: {self.folder}"
        if self.kind is LabelKind.SINGLE_LABEL:
            return numbered(self.numbers, names=self.names, known=known, where=where)
        return table(self.numbers, names=self.names, known=known, kind=self.kind, where=where)

    def content(self, sample: int) -> bytes:
        """The encoded image."""
        shard, offset, length, *_ = self._entry(sample)
        file = self._shards.get(shard)
        if file is not None:
            return os.pread(file, length, offset)
        file = os.open(self.folder / shard_name(shard), os.O_RDONLY)
        content = os.pread(file, length, offset)
        # Another thread may have opened it meanwhile; one of both files is kept.
        if len(self._shards) >= _KEPT_OPEN or self._shards.setdefault(shard, file) != file:
            os.close(file)
        return content

    def size(self, sample: int) -> tuple[int, int]:
        """Height and width of the image as they are stored."""
        *_, height, width = self._entry(sample)
        return height, width

    def name(self, sample: int) -> str:
        """Where the image lies."""
        shard, offset, *_ = self._entry(sample)
        return f"at byte {offset} of {self.folder / shard_name(shard)}"

    def open(self, sample: int) -> BinaryIO:
        """The encoded image as a file."""
        return io.BytesIO(self.content(sample))

    def _entry(self, sample: int) -> tuple[int, ...]:
        return ENTRY.unpack_from(self.entries, sample * ENTRY.size)


def shard_name(shard: int) -> str:
    """File name of a shard, e.g. `00003.tar`."""
    return f"{shard:05}.tar"


def read(folder: Path, *, field: str) -> Pack:
    """Opens a pack; `field` is the path of the field that names it.

    Raises:
        ConfigurationError: the folder is no pack, or shards are missing or cut short.

    """
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        if description.get("format") != FORMAT:
            raise ConfigurationError(f"{field}: {folder} was packed by another version; pack anew")
        kind, names = LabelKind(description["labels"]), [str(n) for n in description["names"]]
        pack = Pack(
            folder=folder,
            kind=kind,
            names=names,
            entries=(folder / INDEX).read_bytes(),
            numbers=_array(TYPES[kind], folder / LABELS),
            splits=_array("b", folder / SPLITS) if description["splits"] else None,
            weights=_array("d", folder / WEIGHTS) if description["weights"] else None,
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        what = "is not what kubefit data pack wrote" if folder.is_dir() else "is not a folder"
        raise ConfigurationError(f"{field}: {folder} {what} ({error})") from error
    images = description["images"]
    columns = 1 if kind is LabelKind.SINGLE_LABEL else len(names)
    given = [len(one) for one in (pack.splits, pack.weights) if one is not None]
    if {len(pack), len(pack.numbers) / columns, *given} != {images}:
        raise ConfigurationError(f"{field}: {folder} is incomplete; copy it or pack anew")
    _check_shards(pack, field=field)
    return pack


def _array(code: str, file: Path) -> "array[Any]":
    found = array(code)
    found.frombytes(file.read_bytes())
    return found


def _check_shards(pack: Pack, *, field: str) -> None:
    ends: dict[int, int] = {}
    for shard, offset, length, *_ in ENTRY.iter_unpack(pack.entries):
        ends[shard] = max(ends.get(shard, 0), offset + length)
    for shard, end in ends.items():
        file = pack.folder / shard_name(shard)
        if not file.is_file() or file.stat().st_size < end:
            what = "is cut short" if file.is_file() else "is missing"
            raise ConfigurationError(f"{field}: {file} {what}; copy it or pack anew")
