"""Which sample is seen when and by whom: pure functions of the seed, never of timing.

The global batches of a pass over the data depend on (seed, pass) alone; a shard only chooses which
rows of each global batch it takes. So every sample is seen exactly once a pass on any number of
workers, the last, shorter batch included.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kubefit_trainer.images.randomness import Stream, permutation
from kubefit_trainer.preflight.counts import held_out
from kubefit_trainer.recipe import stratify


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """The part of every global batch that one input pipeline feeds.

    A pipeline feeds `replicas` devices of its worker, each with its own batch.
    """

    rank: int
    workers: int
    replicas: int = 1

    def parts(self, batch: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Rows of a global batch for each local replica in turn; some may be empty."""
        total = self.workers * self.replicas
        first = self.rank * self.replicas
        for replica in range(first, first + self.replicas):
            yield batch[replica::total]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Samples for training, validation and the final test, each in ascending order."""

    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def split(labels: NDArray[np.int32], *, validation: float, test: float, seed: int) -> Split:
    """Holds out these shares of each class, chosen by the seed."""
    order = permutation(len(labels), Stream.SPLIT, seed=seed, epoch=0)
    by_class = [order[labels[order] == label] for label in range(labels.max(initial=-1) + 1)]
    counts = [len(samples) for samples in by_class]
    tested = held_out(counts, test)
    left = [count - taken for count, taken in zip(counts, tested, strict=True)]
    # A share of all samples, the tested ones included.
    validated = held_out(left, validation / (1.0 - test))
    parts: tuple[list[NDArray[np.int64]], ...] = ([], [], [])
    for samples, first, second in zip(by_class, tested, validated, strict=True):
        for part, cut in zip(parts, np.split(samples, [first, first + second]), strict=True):
            part.append(cut)
    tests, validations, training = (np.sort(np.concatenate(part)) for part in parts)
    return Split(training=training, validation=validations, test=tests)


def split_labels(flags: NDArray[Any], *, validation: float, test: float, seed: int) -> Split:
    """Holds out as many of all, and of each class alike, of images with any number of classes.

    `flags` is 0 or 1 for each image and class, (images, classes).
    """
    (tested,) = held_out([len(flags)], test)
    (validated,) = held_out([len(flags) - tested], validation / (1.0 - test))
    found = stratify.parts(
        flags,
        [len(flags) - tested - validated, validated, tested],
        permutation(len(flags), Stream.SPLIT, seed=seed, epoch=0),
    )
    return Split(training=found[0], validation=found[1], test=found[2])


def steps(samples: int, global_batch: int) -> int:
    """Global batches in one pass over so many samples."""
    return math.ceil(samples / global_batch)


def training_stream(
    samples: NDArray[np.int64], *, seed: int, global_batch: int, start: int = 0
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yields (pass, sample ids) of every global batch from number `start` on, without end."""
    first, skipped = divmod(start, steps(len(samples), global_batch))
    for epoch in itertools.count(first):
        order = samples[permutation(len(samples), Stream.ORDER, seed=seed, epoch=epoch)]
        left = order[skipped * global_batch if epoch == first else 0 :]
        for batch in fixed_stream(left, global_batch=global_batch):
            yield epoch, batch


def fixed_stream(samples: NDArray[np.int64], *, global_batch: int) -> Iterator[NDArray[np.int64]]:
    """Global batches of one pass over the samples as they stand."""
    for start in range(0, len(samples), global_batch):
        yield samples[start : start + global_batch]
