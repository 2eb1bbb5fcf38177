"""Which share of the time of training went into waiting, for advice after it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras

from kubefit_trainer.keras_multiworker import links, waits

_STEPS = 20
"""Fewer tell nothing."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """Clocks of this process, which mean nothing to another one."""

    seconds: float
    data: float
    exchange: float


def _now() -> _Moment:
    return _Moment(time.monotonic(), waits.total.slowest_data, waits.total.exchange)


class Waiting(keras.callbacks.Callback):  # type: ignore[misc]
    """Measures from the end of the first step of an epoch, which builds the network, to its last.

    The sums are state: they come back with a checkpoint.
    """

    def __init__(self) -> None:
        super().__init__()
        # No plain data, so that no checkpoint has it.
        self._last: _Moment | None = None
        self._steps = 0
        self._seconds = self._data = self._exchange = 0.0

    @property
    def data(self) -> float | None:
        """Share of the time that steps waited for images; None after too few steps."""
        return self._data / self._seconds if self._measured else None

    @property
    def exchange(self) -> float | None:
        """Share of it that they waited for gradients; None where that is not measured."""
        measured = self._measured and links.sums() is not None
        return self._exchange / self._seconds if measured else None

    @property
    def _measured(self) -> bool:
        return self._steps >= _STEPS and self._seconds > 0.0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Waits for the first step."""
        self._last = None

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Adds the time since the step before."""
        now, before = _now(), self._last
        self._last = now
        if before is not None:
            self._steps += 1
            self._seconds += now.seconds - before.seconds
            self._data += now.data - before.data
            self._exchange += now.exchange - before.exchange
