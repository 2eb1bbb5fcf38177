"""Callbacks that act on what validation says: the same on every worker, as the logs are.

Every worker must have them, not the chief alone.
"""

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from kubefit.api.recipe import EarlyStopping, Schedule, Watched
from kubefit_trainer.recipe.optimizers import innermost
from kubefit_trainer.recipe.schedules import Rate


class _Improvement:
    """How many epochs ago a value was best."""

    def __init__(self, *, larger: bool, min_delta: float = 0.0) -> None:
        self._sign = 1.0 if larger else -1.0
        self._min_delta = min_delta
        self._best = -math.inf
        self.waited = 0

    def better(self, value: float) -> bool:
        """Whether the value is the best so far; otherwise one more epoch was waited."""
        if self._sign * value > self._best + self._min_delta:
            self._best, self.waited = self._sign * value, 0
            return True
        self.waited += 1
        return False


class StopEarly(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends a phase that no longer improves, and goes back to its best weights."""

    def __init__(self, spec: EarlyStopping) -> None:
        super().__init__()
        self._spec = spec
        self.monitor = f"val_{spec.metric}"
        self._improvement = _Improvement(
            larger=spec.metric is Watched.ACCURACY, min_delta=spec.min_delta
        )
        self._best: list[NDArray[Any]] | None = None

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Remembers the weights of the best epoch."""
        value = (logs or {}).get(self.monitor, math.nan)
        if self._improvement.better(value):
            if self._spec.restore_best:
                self._best = self.model.get_weights()
        elif self._improvement.waited >= self._spec.patience:
            self.model.stop_training = True

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Takes them back."""
        if self._best is not None:
            self.model.set_weights(self._best)


class Plateau(keras.callbacks.Callback):  # type: ignore[misc]
    """Lowers the learning rate when the loss stands still: of validation, else of training."""

    def __init__(self, schedule: Schedule, rate: Rate) -> None:
        super().__init__()
        self._every = schedule.every
        self._rate = rate
        self._factor = 1.0
        self._improvement = _Improvement(larger=False)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Has the rate as low as before an interruption."""
        self._rate.set_factor(self._factor)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Counts epochs without improvement."""
        logs = logs or {}
        self._improvement.better(logs.get("val_loss", logs.get("loss", math.nan)))
        if self._improvement.waited >= self._every:
            self._improvement.waited = 0
            self._factor = self._rate.lower()


class AverageWeights(keras.callbacks.Callback):  # type: ignore[misc]
    """Validates, and ends, with the average of the weights that the optimizer keeps.

    Must come before other callbacks, which then see the average at the end of an epoch.
    """

    def __init__(self) -> None:
        super().__init__()
        self._raw: list[NDArray[np.float32]] | None = None

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Goes on from the weights of the last step."""
        if self._raw is not None:
            for variable, value in zip(self._variables(), self._raw, strict=True):
                variable.assign(value)
            self._raw = None

    def on_test_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Takes the average for the validation."""
        self._average()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Takes the average for the callbacks after this one."""
        self._average()

    def _average(self) -> None:
        if self._raw is None:
            self._raw = [keras.ops.convert_to_numpy(variable) for variable in self._variables()]
            averages = innermost(self.model.optimizer).averages
            for variable, average in zip(self._variables(), averages, strict=True):
                variable.assign(keras.ops.convert_to_numpy(average))

    def _variables(self) -> list[keras.Variable]:
        return list(innermost(self.model.optimizer).averaged)
