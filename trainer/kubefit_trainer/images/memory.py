"""The memory of decoded images, which the process keeps."""

import ctypes
import functools

# Numbers of the options in malloc.h of glibc.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3


@functools.cache
def kept() -> None:
    """Has the C library keep what it frees of memory, where it is glibc.

    A decoded image is large enough to be given back to the kernel as soon as it is freed, so that
    the pages of the next one are fresh ones, which cost a third of its decoding.
    """
    adjust = getattr(ctypes.CDLL(None), "mallopt", None)
    if adjust is not None:
        adjust(_MMAP_THRESHOLD, 32 << 20)
        adjust(_TRIM_THRESHOLD, 256 << 20)
        adjust(_TOP_PAD, 16 << 20)
