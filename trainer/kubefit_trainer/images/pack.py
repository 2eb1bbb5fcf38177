"""Packs class folders: each image decoded once, made as small as training needs, and sharded."""

import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.images.augment import resized
from kubefit_trainer.images.decode import Pixels, UnreadableImageError, decode, dimensions
from kubefit_trainer.preflight import folders, packs, pictures

SHARD_BYTES = 256 * 2**20
_FIELD = "PATH"
_LOSSY = (".jpg", ".jpeg", ".webp")
_BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What was written and what was left out."""

    images: int
    classes: int
    shards: int
    bytes: int
    skipped: dict[str, str]
    """Files that cannot be read, with the reasons."""


def pack(
    source: Path,
    target: Path,
    *,
    side: int,
    quality: int,
    skip_unreadable: bool,
    threads: int,
    watch: Callable[[Iterable[str], int], Iterable[str]],
) -> Packed:
    """Writes class folders `source` as a pack to `target`, which appears whole or not at all.

    `side` is the length in pixels to which the shorter side of larger images is reduced. JPEG and
    WebP become JPEG of that quality, other formats PNG; images that are small enough are copied.
    `watch` is given the files and their number, and passes them on.

    Raises:
        ConfigurationError: there are no class folders, the target exists, or images cannot be read.

    """
    if target.exists():
        raise ConfigurationError(f"OUT: {target} exists; name a folder that does not")
    classes = folders.class_names(source, field=_FIELD)
    found = folders.index(source, classes, field=_FIELD)
    partial = target.with_name(f".partial-{target.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    skipped: dict[str, str] = {}
    with ThreadPoolExecutor(threads) as pool, _Writer(partial, classes) as writer:
        files = iter(watch(found.files, len(found.files)))
        labels = iter(found.labels)
        while batch := list(islice(files, _BATCH)):
            made = pool.map(lambda file: _made(file, side=side, quality=quality), batch)
            for file, label, one in zip(batch, labels, made, strict=False):
                if isinstance(one, UnreadableImageError):
                    skipped[file] = str(one)
                else:
                    writer.add(Path(file).stem, label, *one)
    if skipped and not skip_unreadable:
        shutil.rmtree(partial)
        raise pictures.UnreadableError(skipped, field=_FIELD)
    if not writer.images:
        shutil.rmtree(partial)
        raise ConfigurationError(f"{_FIELD}: no image of {source} can be read")
    written = writer.describe(skipped)
    partial.rename(target)
    return written


def _made(file: str, *, side: int, quality: int) -> tuple[str, bytes] | UnreadableImageError:
    """Suffix and content of the packed file."""
    path = Path(file)
    try:
        data = path.read_bytes()
        height, width = dimensions(data)
        share = side / min(height, width)
        # Decoded in any case: what cannot be read is to be found here, not in the training.
        size = (max(1, round(height * share)), max(1, round(width * share)))
        picture = decode(data, channels=3, needed=size if share < 1 else (height, width))
    except UnreadableImageError as error:
        return error
    except OSError as error:
        return UnreadableImageError(str(error))
    if share >= 1:
        return path.suffix.lower(), data
    upright = size if (picture.extent[0] > picture.extent[1]) == (height > width) else size[::-1]
    pixels = resized(picture, size=upright)
    if path.suffix.lower() in _LOSSY:
        return ".jpg", _encoded(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return ".png", _encoded(".png", pixels, [])


def _encoded(suffix: str, pixels: Pixels, options: list[int]) -> bytes:
    _, data = cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    encoded: bytes = np.asarray(data).tobytes()
    return encoded


class _Writer:
    """Writes shards one after the other, and the index; a context manager."""

    def __init__(self, folder: Path, classes: list[str]) -> None:
        self._folder = folder
        self._classes = classes
        self._shards: list[tarfile.TarFile] = []
        self._names: set[str] = set()
        self._index = bytearray()
        self._bytes = 0

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        for shard in self._shards:
            shard.close()

    @property
    def images(self) -> int:
        """Number of images so far."""
        return len(self._index) // packs.ENTRY.size

    def add(self, stem: str, label: int, suffix: str, data: bytes) -> None:
        """Appends an image."""
        member = tarfile.TarInfo(self._free_name(f"{self._classes[label]}/{stem}", suffix))
        member.size = len(data)
        shard = self._open_shard()
        header = shard.offset
        shard.addfile(member, io.BytesIO(data))
        # The data end where the padding to whole blocks begins.
        padded = -(-len(data) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        offset = shard.offset - padded
        assert offset > header
        self._index += packs.ENTRY.pack(len(self._shards) - 1, label, offset, len(data))
        self._bytes += len(data)

    def _free_name(self, stem: str, suffix: str) -> str:
        """A name that is not taken: `1.png` and `1.bmp` both become `1.png`."""
        names: Iterator[str] = (
            f"{stem}{'' if n == 0 else f'-{n}'}{suffix}" for n in range(len(self._names) + 1)
        )
        name = next(name for name in names if name not in self._names)
        self._names.add(name)
        return name

    def _open_shard(self) -> tarfile.TarFile:
        if not self._shards or self._shards[-1].offset >= SHARD_BYTES:
            path = self._folder / packs.shard_name(len(self._shards))
            if self._shards:
                self._shards[-1].close()
            self._shards.append(tarfile.open(path, "w"))  # noqa: SIM115
        return self._shards[-1]

    def describe(self, skipped: dict[str, str]) -> Packed:
        """Writes index and description."""
        (self._folder / packs.INDEX).write_bytes(self._index)
        description = {
            "format": packs.FORMAT,
            "classes": self._classes,
            "images": self.images,
            "shards": len(self._shards),
            "skipped": skipped,
        }
        text = json.dumps(description, indent=2) + "\n"
        (self._folder / packs.DESCRIPTION).write_text(text, encoding="utf-8")
        return Packed(
            images=self.images,
            classes=len(self._classes),
            shards=len(self._shards),
            bytes=self._bytes,
            skipped=skipped,
        )
