"""Decoded images kept in memory: each is decoded when it is first asked for, then never again."""

import threading
from collections.abc import Callable

from kubefit_trainer.images.decode import Picture


class PictureCache:
    """Pictures by sample number, as long as they fit; those that come later are decoded anew."""

    def __init__(self, decode: Callable[[int], Picture], *, capacity: int) -> None:
        """`capacity` is in bytes of pixels; safe to be read by several threads."""
        self._decode = decode
        self._free = capacity
        self._pictures: dict[int, Picture] = {}
        self._lock = threading.Lock()

    def __call__(self, sample: int) -> Picture:
        """The picture of that sample."""
        known = self._pictures.get(sample)
        if known is not None:
            return known
        picture = self._decode(sample)
        with self._lock:
            if picture.pixels.nbytes <= self._free and sample not in self._pictures:
                self._free -= picture.pixels.nbytes
                self._pictures[sample] = picture
        return picture
