"""Decoded images that are kept: each is decoded when it is first asked for, then never again.

They are kept as they were decoded, so training is the same with and without.
"""

import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from kubefit.api.recipe import Cache
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.images.decode import Picture, Pixels

MEMORY_BYTES = 512 * 2**20
"""Images up to this size altogether are kept in memory."""
SEGMENT_BYTES = 64 * 2**20
"""By so much the file of a cache grows."""
_LEFT_FREE = 0.15
"""Share of the disk that others are left: with less the kubelet begins to evict pods."""


class Store(Protocol):
    """Keeps pixels as long as there is room; called by one thread at a time."""

    def keep(self, pixels: Pixels) -> Pixels | None:
        """The same pixels where they are kept; None where there is no room for them."""


class InMemory:
    """Keeps pixels of so many bytes altogether."""

    def __init__(self, capacity: int = MEMORY_BYTES) -> None:
        """`capacity` is in bytes."""
        self._free = capacity

    def keep(self, pixels: Pixels) -> Pixels | None:
        """These pixels themselves, while they fit."""
        if pixels.nbytes > self._free:
            return None
        self._free -= pixels.nbytes
        return pixels


class OnDisk:
    """Keeps pixels in a file without a name, mapped into memory, which ends with the process."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder` is where the file lies, by default that of temporary files."""
        self._folder = folder or Path(tempfile.gettempdir())
        self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
        self._segment: Pixels = np.empty(0, np.uint8)
        self._end = 0

    def keep(self, pixels: Pixels) -> Pixels | None:
        """A copy in the file, while the disk has room."""
        if pixels.nbytes > len(self._segment) and not self._grow(max(SEGMENT_BYTES, pixels.nbytes)):
            return None
        place, self._segment = np.split(self._segment, [pixels.nbytes])
        place[:] = pixels.reshape(-1)
        return place.reshape(pixels.shape)

    def _grow(self, size: int) -> bool:
        """Reserves a segment: to write what is mapped on a full disk would kill the process."""
        disk = shutil.disk_usage(self._folder)
        if disk.free - size < _LEFT_FREE * disk.total:
            return False
        try:
            os.posix_fallocate(self._file.fileno(), self._end, size)
            mapped = np.memmap(self._file, np.uint8, "r+", offset=self._end, shape=(size,))
        except OSError:
            return False
        self._segment = np.asarray(mapped)
        self._end += size
        return True


class PictureCache:
    """Pictures by sample number; those for which there is no room are decoded each time."""

    def __init__(self, decode: Callable[[int], Picture], store: Store, *, field: str) -> None:
        """Safe to be read by several threads; `field` is the path of the field of the images."""
        self._decode = decode
        self._store = store
        self._field = field
        self._full = False
        self._pictures: dict[int, Picture] = {}
        self._lock = threading.Lock()

    def __call__(self, sample: int) -> Picture:
        """The picture of that sample."""
        known = self._pictures.get(sample)
        if known is not None:
            return known
        picture = self._decode(sample)
        with self._lock:
            if sample not in self._pictures and not self._full:
                kept = self._store.keep(picture.pixels)
                if kept is not None:
                    picture = self._pictures[sample] = replace(picture, pixels=kept)
                else:
                    self._full = True
                    print(f"{self}; full, the others are decoded each time", flush=True)
        return picture

    def __str__(self) -> str:
        """How much is kept, for the log."""
        pictures = list(self._pictures.values())
        size = sum(picture.pixels.nbytes for picture in pictures) / 2**20
        return f"cache of {self._field}: {len(pictures)} images, {size:.1f} MiB"


def cached(
    decode: Callable[[int], Picture], wanted: Cache, *, field: str
) -> Callable[[int], Picture]:
    """The pictures, kept as `spec.recipe.data.cache` says; `field` is that of the images.

    Raises:
        ConfigurationError: there is no folder for temporary files.

    """
    if wanted is Cache.NONE:
        return decode
    if wanted is Cache.MEMORY:
        return PictureCache(decode, InMemory(), field=field)
    try:
        return PictureCache(decode, OnDisk(), field=field)
    except OSError as error:
        raise ConfigurationError(
            f"spec.recipe.data.cache: no temporary file can be made for images ({error}); set"
            " TMPDIR to a folder that can be written, or take memory or none"
        ) from error
