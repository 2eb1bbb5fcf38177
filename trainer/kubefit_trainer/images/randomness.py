"""Random numbers as pure functions of (stream, seed, epoch, sample).

No state and no library generator: the same numbers on any number of workers, after any restart and
with any version of NumPy.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

_GAMMA = np.uint64(0x9E3779B97F4A7C15)


class Stream(IntEnum):
    """Independent uses of one seed."""

    SPLIT = 1
    ORDER = 2
    AUGMENTATION = 3
    RAND_AUGMENT = 4
    BETA = 5
    STRIPES = 6


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Finalizer of SplitMix64 (Steele, Lea, Flood: Fast splittable generators, OOPSLA 2014)."""
    z = values + _GAMMA
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _hash(*keys: NDArray[np.int64] | int) -> NDArray[np.uint64]:
    """Hash of one or more keys that broadcast against each other."""
    state = np.zeros(1, np.uint64)
    for key in keys:
        state = _mix(state ^ np.atleast_1d(np.asarray(key, np.int64)).astype(np.uint64))
    return state


def permutation(size: int, stream: Stream, *, seed: int, epoch: int) -> NDArray[np.int64]:
    """Numbers 0 to size - 1 in random order."""
    keys = _hash(stream, seed, epoch, np.arange(size))
    return np.argsort(keys, kind="stable").astype(np.int64)


def uniforms(
    samples: NDArray[np.int64], draws: int, *, stream: Stream, seed: int, epoch: int
) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1), shape (samples, draws)."""
    keys = _hash(stream, seed, epoch, samples[:, None], np.arange(draws)[None, :])
    return (keys >> np.uint64(11)).astype(np.float64) * 2.0**-53
