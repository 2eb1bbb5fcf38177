"""Sums over a ring that go on while the step computes what is to be summed next.

A thread of their own makes them, one after the other: neither the threads of TensorFlow, of which
there may be a single one, nor the backward pass wait for other workers before they must.
"""

import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np

from kubefit_trainer.keras_multiworker import waits
from kubefit_trainer.keras_multiworker.ring import Floats, Ring

_Begun = tuple[Sequence[Floats], bool, "Future[list[Floats]]"]


class GradientSums:
    """Sums under way, by number; begin them in the same order on every worker."""

    def __init__(self, ring: Ring) -> None:
        """Takes the ring over."""
        self._ring = ring
        self._begun: queue.SimpleQueue[_Begun] = queue.SimpleQueue()
        self._under_way: dict[int, Future[list[Floats]]] = {}
        self._count = 0
        # A daemon: it may wait for workers that wait for the end of this process.
        threading.Thread(target=self._run, name="gradient sums", daemon=True).start()

    def begin(self, arrays: Sequence[Floats], *, halves: bool = False) -> int:
        """Begins a sum, see `Ring.all_sum`; returns its number. The arrays must not change."""
        future: Future[list[Floats]] = Future()
        self._count += 1
        self._under_way[self._count] = future
        self._begun.put((arrays, halves, future))
        return self._count

    def end(self, number: int | np.int64) -> list[Floats]:
        """The sums, as soon as they are there; once.

        Raises:
            WorkerLostError: a neighbour is gone.
            DifferentProgramError: a neighbour sums other arrays.

        """
        began = time.perf_counter()
        try:
            return self._under_way.pop(int(number)).result()
        finally:
            # All gradients are there when the first end is waited for: the step does nothing else.
            waits.total.exchange += time.perf_counter() - began

    def _run(self) -> None:
        while True:
            arrays, halves, future = self._begun.get()
            try:
                future.set_result(self._ring.all_sum(arrays, halves=halves))
            except BaseException as error:
                future.set_exception(error)
            # What is kept here until the next sum would be memory that results cannot use again.
            del arrays, future
