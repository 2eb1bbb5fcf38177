"""The one `TrainerReport` of this process: updated often, written at most twice a second.

Thread-safe: Keras may call callbacks from a pool of threads. Knows nothing of Keras.
"""

import bisect
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubefit.api.contract import STEP_SECONDS_BUCKETS, StepSeconds, TrainerPhase, TrainerReport
from kubefit_trainer import report
from kubefit_trainer.callbacks.ledger import Ledger

_INTERVAL_SECONDS = 0.5
_SILENT_SECONDS = 1.0
"""After so long without another word, what was not due is told all the same."""
_LONGEST_STEP = 86400.0


_AFTER_TRAINING = frozenset({TrainerPhase.EVALUATING, TrainerPhase.EXPORTING, TrainerPhase.DONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """Seconds that the steps of this process have waited so far."""

    data: float
    """For the data of this worker."""
    slowest_data: float
    """For those of the slowest one."""
    exchange: float | None
    """For the gradients of others; None where that is not measured."""


class _Histogram:
    """Durations by `STEP_SECONDS_BUCKETS`."""

    def __init__(self) -> None:
        self._counts = [0] * (len(STEP_SECONDS_BUCKETS) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect.bisect_left(STEP_SECONDS_BUCKETS, seconds)] += 1
        self._sum += min(seconds, _LONGEST_STEP)

    def told(self) -> StepSeconds:
        return StepSeconds(sum=self._sum, counts=list(self._counts))


class Reporter:
    """Collects what the trainer tells its agent and writes it to a file."""

    def __init__(self, file: Path | None, *, reached: int = 0) -> None:
        """`reached` is the step that attempts before this one have reached."""
        self.fitting = False
        """Whether `fit` is under way: evaluations and saved models are then part of it."""
        self.epochs = 0
        """Epochs done, counted over all calls of `fit`."""
        self.waited: Callable[[], Waited] | None = None
        """Tells how long steps have waited, where that is measured."""
        self._ledger = Ledger(reached=reached)
        self._kept = 0.0
        self._data_before = 0.0
        self._file = file
        self._lock = threading.Lock()
        self._report = TrainerReport(phase=TrainerPhase.STARTING, updated=time.time())
        self._steps, self._data = _Histogram(), _Histogram()
        self._written = -math.inf
        self._untold = threading.Event()
        if file is not None:
            threading.Thread(target=self._tell_the_last, name="reporter", daemon=True).start()

    @property
    def report(self) -> TrainerReport:
        """What was told last."""
        return self._report

    def phase(self, phase: TrainerPhase, **changes: Any) -> None:
        """Enters a phase; told at once."""
        with self._lock:
            self._pass_time(begins=phase in _AFTER_TRAINING)
            self._change({"phase": phase, **changes})
            self._write()

    def update(self, **changes: Any) -> None:
        """Changes fields of the report; told when the last time is long enough ago."""
        with self._lock:
            self._pass_time()
            self._change(changes)
            self._write_if_due()

    def step(self, *, step: int, examples: int, seconds: float | None) -> bool:
        """Counts a step; `True` if a report is due, to which its logs may be added.

        Args:
            step: Steps done in all epochs together.
            examples: Samples this worker trained on in all of them.
            seconds: Duration of this step, unless it is not known.

        """
        with self._lock:
            if seconds is not None:
                self._steps.add(seconds)
                self._add_data_wait(seconds)
            self._pass_time(step, begins=True)
            self._change(
                {
                    "step": max(step, self._report.step),
                    "examples": max(examples, self._report.examples),
                }
            )
            return self._due()

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Training stands still within it, for the sake of a checkpoint."""
        began = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._kept += time.monotonic() - began
                self._pass_time()

    def _pass_time(self, step: int | None = None, *, begins: bool = False) -> None:
        """Time has gone into a step, or into what comes before the next one.

        It is counted from when training `begins`.
        """
        if begins or self._ledger.spent:
            self._ledger.pass_time(
                now=time.monotonic(),
                wall=time.time(),
                step=self._report.step + 1 if step is None else step,
                waited=self.waited().slowest_data if self.waited else 0.0,
                kept=self._kept,
            )

    def _add_data_wait(self, longest: float) -> None:
        if self.waited is not None:
            before, self._data_before = self._data_before, self.waited().data
            # Validation draws data between two steps.
            self._data.add(min(longest, max(0.0, self._data_before - before)))

    def _change(self, changes: Mapping[str, Any]) -> None:
        self._report = self._report.model_copy(update=dict(changes))
        self._untold.set()

    def _tell_the_last(self) -> None:
        """Tells how far a worker has come that then hangs."""
        while self._untold.wait():
            with self._lock:
                left = self._written + _SILENT_SECONDS - time.monotonic()
                if self._untold.is_set() and left <= 0:
                    self._write()
            time.sleep(max(0.0, left))

    def _due(self) -> bool:
        return time.monotonic() >= self._written + _INTERVAL_SECONDS

    def _write_if_due(self) -> None:
        if self._due():
            self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        self._change(
            {
                "updated": time.time(),
                "fitting": self.fitting,
                "step_seconds": self._steps.told(),
                "data_seconds": self._data.told() if self.waited else None,
                "exchange_seconds": self.waited().exchange if self.waited else None,
                "spent": self._ledger.spent,
            }
        )
        if self._file is not None:
            report.write(self._file, self._report)
        self._untold.clear()


def numbers(logs: Mapping[str, Any] | None) -> dict[str, float]:
    """The finite scalars of a callback's logs; JSON has no others."""
    found = {}
    for name, value in (logs or {}).items():
        try:
            number = float(value)
        except (TypeError, ValueError):
            continue
        if math.isfinite(number):
            found[str(name)] = number
    return found
