"""How many samples the steps of an epoch see, as far as the arguments of `fit` tell."""

import math
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

_KERAS_BATCH = 32
"""Batch size of `fit` for arrays when none is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Samples of all workers together: those of a step, and of a pass over the data if known."""

    global_batch: int
    total: int | None

    def after(self, steps: int) -> int:
        """Samples seen after so many steps of an epoch."""
        seen = steps * self.global_batch
        return seen if self.total is None else min(seen, self.total)


_announced: list[Samples] = []


def announce(samples: Samples) -> None:
    """Tells the samples of data sets that `fit` will get and that cannot tell them themselves."""
    _announced[:] = [samples]


def announced() -> Samples | None:
    """What was announced last."""
    return _announced[0] if _announced else None


def samples_of(x: Any, batch_size: int | None, *, split: float) -> Samples | None:
    """Samples of data given to `fit`: arrays know, data sets do if their batches are static."""
    if isinstance(x, tf.data.Dataset):
        shape = getattr(tf.nest.flatten(x.element_spec)[0], "shape", None)
        batch = shape[0] if shape is not None and shape.rank else None
        return Samples(global_batch=int(batch), total=None) if batch else None
    first = tf.nest.flatten(x)[0] if x is not None else None
    shape = getattr(first, "shape", None)
    if shape is None or len(shape) == 0 or shape[0] is None:
        return None
    rows = int(shape[0])
    # As keras.src.trainers.data_adapters.array_slicing.train_validation_split cuts.
    rows = math.floor(rows * (1.0 - split)) if split else rows
    return Samples(global_batch=batch_size or _KERAS_BATCH, total=rows)
