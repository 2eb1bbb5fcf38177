"""Iterators over shares that never make `fit` wait for their end.

tf.data sets its cancelled flag after it has run the callbacks that wake the autotuner, which may
therefore sleep on for up to a minute while a deleted iterator waits for it. Seen in TensorFlow 2.16
and 2.21. So iterators are let go on a thread of their own.
"""

import queue
import threading
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from kubefit_trainer.keras_multiworker.waits import Stopwatch


class Drawn(tuple[Any, ...]):
    """The shares of one step, one for each local replica."""

    more = True
    """Whether this worker knows of a step after it; only `EndingIterator` looks."""


class ShareIterator:
    """Iterator over this process's shares of a dataset of known length or without end.

    `remaining` counts steps; None is endless, or not known. Each step draws one share per local
    replica.
    """

    def __init__(
        self, dataset: Any, *, steps: int | None, replicas: int, may_be_empty: bool = True
    ) -> None:
        _start_reaper()
        self.iterator: Any = iter(dataset)
        self.remaining = steps
        self.replicas = replicas
        self.may_be_empty = may_be_empty
        self.drawing = Stopwatch()
        """How long Python has waited for elements."""

    @property
    def has_more(self) -> bool:
        """Whether there is sure to be another step."""
        return self.remaining != 0

    def take(self, wanted: int) -> int:
        """How many steps can be run at once, at most `wanted`; raises StopIteration at the end."""
        count = wanted if self.remaining is None else min(wanted, self.remaining)
        if count == 0:
            raise StopIteration
        if self.remaining is not None:
            self.remaining -= count
        return count

    def __iter__(self) -> "ShareIterator":
        return self

    def __next__(self) -> Drawn:
        self.take(1)
        with self.drawing:
            return Drawn(next(self.iterator) for _ in range(self.replicas))

    def __del__(self) -> None:
        # The dictionary, not what is in it: nothing else may hold the iterator, not even this call.
        _dropped.put(self.__dict__)


class EndingIterator(ShareIterator):
    """Iterator over shares of global batches whose number nobody knows beforehand.

    It looks one step ahead, so that each step can say whether its worker has another one: all must
    agree about that, for they all run the same pipeline.
    """

    def __init__(self, dataset: Any, *, replicas: int) -> None:
        super().__init__(dataset, steps=None, replicas=replicas)
        self._ahead = self._draw()

    @property
    def has_more(self) -> bool:
        """Whether there is another step."""
        return self._ahead is not None

    def _draw(self) -> Drawn | None:
        with self.drawing:
            drawn = [self.iterator.get_next_as_optional() for _ in range(self.replicas)]
            there = all(bool(one.has_value()) for one in drawn)
        if not there:
            self.remaining = 0
            return None
        return Drawn(one.get_value() for one in drawn)

    def __next__(self) -> Drawn:
        if self._ahead is None:
            raise StopIteration
        drawn, self._ahead = self._ahead, self._draw()
        drawn.more = self._ahead is not None
        return drawn


class UnevenIterator(ShareIterator):
    """Iterator over shares whose number nobody knows beforehand; the workers agree at each step.

    A worker that has run dry yields empty shares until all have.
    """

    def __init__(
        self, dataset: Any, *, replicas: int, empty: Any, any_worker: Callable[[bool], bool]
    ) -> None:
        super().__init__(dataset, steps=None, replicas=replicas)
        self._empty = empty
        self._any_worker = any_worker

    @property
    def has_more(self) -> bool:
        """Nobody knows before the workers have asked each other."""
        return False

    def __next__(self) -> Drawn:
        with self.drawing:
            drawn = [self.iterator.get_next_as_optional() for _ in range(self.replicas)]
            more = any(bool(one.has_value()) for one in drawn)
        if not self._any_worker(more):
            self.remaining = 0
            raise StopIteration
        return Drawn(one.get_value() if bool(one.has_value()) else self._empty for one in drawn)


_dropped: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
_reaper: threading.Thread | None = None


def _start_reaper() -> None:
    global _reaper
    if _reaper is None:
        _reaper = threading.Thread(target=_reap, name="tf-data-reaper", daemon=True)
        _reaper.start()


def _reap() -> None:
    while True:
        _dropped.get().clear()


def explicit_options() -> Any:
    """Options for pipelines whose parallelism is given: in order, and without the autotuner."""
    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = False
    return options
