"""How long the steps of this process have waited, in total: for data, and for gradients of others.

Totals only ever grow; whoever wants those of a time takes the difference.
"""

import time
from dataclasses import dataclass
from typing import Any

import tensorflow as tf


@dataclass(slots=True)
class Waits:
    """Seconds since this process began."""

    data: float = 0.0
    """Until the batches of this worker were there."""
    slowest_data: float = 0.0
    """Until those of the slowest worker were there, step by step: all others wait for it."""
    exchange: float = 0.0
    """Until the sums of gradients were there that a step had nothing left to do without."""


total = Waits()
"""Those of this process."""


def drawn(iterator: Any, count: int, waited: Any) -> tuple[Any, Any]:
    """So many elements of a tf.data iterator, and `waited` with the seconds that they took.

    To be called while a function is traced: the clock is read by the graph itself.
    """
    # Nothing else orders the clock, which would be read when the function begins.
    with tf.control_dependencies([waited]):
        before = tf.timestamp()
    with tf.control_dependencies([before]):
        elements = tuple(iterator.get_next() for _ in range(count))
    parts = [part for part in tf.nest.flatten(elements, expand_composites=True) if part is not None]
    with tf.control_dependencies(parts):
        after = tf.timestamp()
    return elements, waited + tf.cast(after - before, tf.float32)


class Stopwatch:
    """Adds the time within it to `seconds`."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        self.seconds += time.perf_counter() - self._began
