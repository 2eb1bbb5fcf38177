"""Packs a set of images: each decoded once, made as small as training needs, and sharded."""

import io
import json
import shutil
import tarfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kubefit.api.recipe import Images, LabelKind
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.images.augment import resized
from kubefit_trainer.images.decode import Pixels, UnreadableImageError, decode, dimensions
from kubefit_trainer.preflight import indexing, packs, pictures
from kubefit_trainer.preflight.folders import FileTable
from kubefit_trainer.preflight.indexing import Encoded, Indexed

SHARD_BYTES = 256 * 2**20
_FIELD = "PATH"
_BATCH = 64
_BEGINS = {".jpg": b"\xff\xd8", ".png": b"\x89PNG", ".gif": b"GIF8", ".bmp": b"BM"}
_LOSSY = (".jpg", ".webp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What was written and what was left out."""

    images: int
    labels: LabelKind
    names: int
    """Of classes, or of the numbers that are to be predicted."""
    shards: int
    bytes: int
    skipped: dict[str, str]
    """Files that cannot be read, with the reasons."""


def pack(
    source: Images,
    target: Path,
    *,
    kind: LabelKind,
    side: int,
    quality: int,
    skip_unreadable: bool,
    threads: int,
    watch: Callable[[Iterable[int], int], Iterable[int]],
) -> Packed:
    """Writes a set of images as a pack to `target`, which appears whole or not at all.

    `side` is the length in pixels to which the shorter side of larger images is reduced. JPEG and
    WebP become JPEG of that quality, other formats PNG; images that are small enough are copied.
    `watch` is given the numbers of the images and how many there are, and passes them on.

    Raises:
        ConfigurationError: there is no such set, the target exists, or images cannot be read.

    """
    if target.exists():
        raise ConfigurationError(f"OUT: {target} exists; name a folder that does not")
    found = indexing.index(source, kind, Path.cwd(), field=_FIELD, known=None)
    encoded = found.encoded
    if encoded is None:
        raise ConfigurationError(
            f"{_FIELD}: {source.paths[0]} holds arrays, which training reads as fast; name images"
            " that are encoded"
        )
    partial = target.with_name(f".partial-{target.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    skipped: dict[str, str] = {}
    with ThreadPoolExecutor(threads) as pool, _Writer(partial) as writer:
        samples = iter(watch(range(len(encoded)), len(encoded)))
        while batch := list(islice(samples, _BATCH)):
            made = pool.map(lambda sample: _made(encoded, sample, side, quality), batch)
            for sample, one in zip(batch, made, strict=True):
                if isinstance(one, UnreadableImageError):
                    skipped[encoded.name(sample)] = str(one)
                else:
                    writer.add(sample, _member(found, sample), one)
    if skipped and not skip_unreadable:
        shutil.rmtree(partial)
        raise pictures.UnreadableError(skipped, field=_FIELD)
    if not writer.images:
        shutil.rmtree(partial)
        raise ConfigurationError(f"{_FIELD}: no image of {source.paths[0]} can be read")
    written = writer.describe(found, kind, skipped)
    partial.rename(target)
    return written


@dataclass(frozen=True, slots=True)
class _Image:
    """An image as it is packed."""

    suffix: str
    content: bytes
    size: tuple[int, int]
    """Height and width as they are stored."""


def _made(encoded: Encoded, sample: int, side: int, quality: int) -> _Image | UnreadableImageError:
    try:
        with encoded.open(sample) as file:
            data = file.read()
        height, width = dimensions(data)
        share = side / min(height, width)
        # Decoded in any case: what cannot be read is to be found here, not in the training.
        size = (max(1, round(height * share)), max(1, round(width * share)))
        picture = decode(data, channels=3, needed=size if share < 1 else (height, width))
    except UnreadableImageError as error:
        return error
    except OSError as error:
        return UnreadableImageError(error.strerror or str(error))
    suffix = _suffix(data)
    if share >= 1:
        return _Image(suffix, data, (height, width))
    upright = size if (picture.extent[0] > picture.extent[1]) == (height > width) else size[::-1]
    pixels = resized(picture, size=upright)
    if suffix in _LOSSY:
        options = [cv2.IMWRITE_JPEG_QUALITY, quality]
        return _Image(".jpg", _encoded(".jpg", pixels, options), upright)
    return _Image(".png", _encoded(".png", pixels, []), upright)


def _suffix(data: bytes) -> str:
    return next((suffix for suffix, begin in _BEGINS.items() if data.startswith(begin)), ".webp")


def _member(found: Indexed, sample: int) -> str:
    """Path of an image in its shard, without suffix: below its class, where it has one."""
    encoded, classes = found.encoded, found.labels.classes
    stem = Path(encoded[sample]).stem if isinstance(encoded, FileTable) else f"{sample:08}"
    if classes is None:
        return stem
    return f"{found.labels.names[classes[sample]].replace('/', '_')}/{stem}"


def _encoded(suffix: str, pixels: Pixels, options: list[int]) -> bytes:
    _, data = cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    encoded: bytes = np.asarray(data).tobytes()
    return encoded


class _Writer:
    """Writes shards one after the other, and what is known of their images; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._samples = array("Q")
        """Number in the source of each image."""
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
        return len(self._samples)

    def add(self, sample: int, stem: str, image: _Image) -> None:
        """Appends an image."""
        member, data = tarfile.TarInfo(self._free_name(stem, image.suffix)), image.content
        member.size = len(data)
        shard = self._open_shard()
        header = shard.offset
        shard.addfile(member, io.BytesIO(data))
        # The data end where the padding to whole blocks begins.
        padded = -(-len(data) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        offset = shard.offset - padded
        assert offset > header
        self._index += packs.ENTRY.pack(len(self._shards) - 1, offset, len(data), *image.size)
        self._samples.append(sample)
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

    def describe(self, found: Indexed, kind: LabelKind, skipped: dict[str, str]) -> Packed:
        """Writes index, labels and description."""
        names = found.labels.names
        (self._folder / packs.INDEX).write_bytes(self._index)
        rows = found.labels.rows
        if rows is None:
            self._write(packs.LABELS, packs.TYPES[kind], found.labels.classes)
        else:
            self._write(packs.LABELS, packs.TYPES[kind], rows, columns=len(names))
        self._write(packs.SPLITS, "b", found.splits)
        self._write(packs.WEIGHTS, "d", found.weights)
        description = {
            "format": packs.FORMAT,
            "labels": kind,
            "names": names,
            "splits": found.splits is not None,
            "weights": found.weights is not None,
            "images": self.images,
            "shards": len(self._shards),
            "skipped": skipped,
        }
        text = json.dumps(description, indent=2) + "\n"
        (self._folder / packs.DESCRIPTION).write_text(text, encoding="utf-8")
        return Packed(
            images=self.images,
            labels=kind,
            names=len(names),
            shards=len(self._shards),
            bytes=self._bytes,
            skipped=skipped,
        )

    def _write(self, file: str, code: str, numbers: Sequence[Any] | None, columns: int = 1) -> None:
        """Writes the numbers of the images that were packed, if there are any."""
        if numbers is None:
            return
        kept = array(code)
        for sample in self._samples:
            kept.extend(numbers[sample * columns : (sample + 1) * columns])
        (self._folder / file).write_bytes(kept)
