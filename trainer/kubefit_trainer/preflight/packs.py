"""What `kubefit data pack` writes: tar shards of images, and an index of where each image lies.

    OUT/dataset.json      classes, number of images and of shards, what was left out
    OUT/index.bin         20 bytes an image: shard, label, offset, length; little-endian
    OUT/00000.tar ...     the images, named CLASS/FILE; unpacked they are class folders again

Reading an image is one read at a known place, in any order. Imports neither TensorFlow nor NumPy.
"""

import io
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from kubefit_trainer.failure import ConfigurationError

DESCRIPTION, INDEX = "dataset.json", "index.bin"
FORMAT = "kubefit-pack-1"
ENTRY = struct.Struct("<IiQI")
"""Shard, label, offset and length in bytes of an image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A packed set of images."""

    folder: Path
    classes: list[str]
    entries: bytes
    """`ENTRY` of each image, one after the other."""

    def __len__(self) -> int:
        """Number of images."""
        return len(self.entries) // ENTRY.size

    def labels(self) -> list[int]:
        """Class number of each image."""
        return [entry[1] for entry in ENTRY.iter_unpack(self.entries)]

    def locate(self, sample: int) -> tuple[Path, int, int]:
        """File, offset and length of an image."""
        shard, _, offset, length = ENTRY.unpack_from(self.entries, sample * ENTRY.size)
        return self.folder / shard_name(shard), offset, length

    def content(self, sample: int) -> bytes:
        """The encoded image."""
        file, offset, length = self.locate(sample)
        with file.open("rb", buffering=0) as shard:
            shard.seek(offset)
            return shard.read(length)

    def name(self, sample: int) -> str:
        """Where the image lies."""
        file, offset, _ = self.locate(sample)
        return f"at byte {offset} of {file}"

    def open(self, sample: int) -> BinaryIO:
        """The encoded image as a file."""
        return io.BytesIO(self.content(sample))


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
        entries = (folder / INDEX).read_bytes()
    except (OSError, ValueError) as error:
        what = "is not what kubefit data pack wrote" if folder.is_dir() else "is not a folder"
        raise ConfigurationError(f"{field}: {folder} {what} ({error})") from error
    if description.get("format") != FORMAT or len(entries) != description["images"] * ENTRY.size:
        raise ConfigurationError(
            f"{field}: {folder} is incomplete or of another version; pack anew"
        )
    pack = Pack(folder=folder, classes=description["classes"], entries=entries)
    _check_shards(pack, field=field)
    return pack


def relabelled(pack: Pack, *, known: list[str] | None, field: str) -> list[int]:
    """Class number of each image; the numbers are places among the `known` classes, if given.

    Raises:
        ConfigurationError: a class of the pack is not among them.

    """
    if known is None:
        return pack.labels()
    unknown = sorted(set(pack.classes) - set(known))
    if unknown:
        raise ConfigurationError(
            f"{field}: class {unknown[0]!r} of {pack.folder} is not among the classes of the"
            " training images"
        )
    places = [known.index(name) for name in pack.classes]
    return [places[label] for label in pack.labels()]


def _check_shards(pack: Pack, *, field: str) -> None:
    ends: dict[int, int] = {}
    for shard, _, offset, length in ENTRY.iter_unpack(pack.entries):
        ends[shard] = max(ends.get(shard, 0), offset + length)
    for shard, end in ends.items():
        file = pack.folder / shard_name(shard)
        if not file.is_file() or file.stat().st_size < end:
            what = "is cut short" if file.is_file() else "is missing"
            raise ConfigurationError(f"{field}: {file} {what}; copy it or pack anew")
