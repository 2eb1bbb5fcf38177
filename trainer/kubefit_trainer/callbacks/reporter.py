"""The one `TrainerReport` of this process: updated often, written at most twice a second.

Thread-safe: Keras may call callbacks from a pool of threads. Knows nothing of Keras.
"""

import bisect
import math
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kubefit.api.contract import STEP_SECONDS_BUCKETS, StepSeconds, TrainerPhase, TrainerReport
from kubefit_trainer import report

_INTERVAL_SECONDS = 0.5
_LONGEST_STEP = 86400.0


class Reporter:
    """Collects what the trainer tells its agent and writes it to a file."""

    def __init__(self, file: Path | None) -> None:
        self.fitting = False
        """Whether `fit` is under way: evaluations and saved models are then part of it."""
        self._file = file
        self._lock = threading.Lock()
        self._report = TrainerReport(phase=TrainerPhase.STARTING, updated=time.time())
        self._counts = [0] * (len(STEP_SECONDS_BUCKETS) + 1)
        self._sum = 0.0
        self._written = -math.inf

    @property
    def report(self) -> TrainerReport:
        """What was told last."""
        return self._report

    def phase(self, phase: TrainerPhase, **changes: Any) -> None:
        """Enters a phase; told at once."""
        with self._lock:
            self._change({"phase": phase, **changes})
            self._write()

    def update(self, **changes: Any) -> None:
        """Changes fields of the report; told when the last time is long enough ago."""
        with self._lock:
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
                self._counts[bisect.bisect_left(STEP_SECONDS_BUCKETS, seconds)] += 1
                self._sum += min(seconds, _LONGEST_STEP)
            self._change(
                {
                    "step": max(step, self._report.step),
                    "examples": max(examples, self._report.examples),
                }
            )
            return self._due()

    def _change(self, changes: Mapping[str, Any]) -> None:
        self._report = self._report.model_copy(update=dict(changes))

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
                "step_seconds": StepSeconds(sum=self._sum, counts=list(self._counts)),
            }
        )
        if self._file is not None:
            report.write(self._file, self._report)


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
