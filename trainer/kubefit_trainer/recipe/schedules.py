"""The learning rate as a function of the step: warm-up, then constant, cosine or steps.

The same on every worker and after every restart, because only the step goes in. A plateau is no
function of the step: `Plateau` lowers a factor that all workers lower at the same epoch.
"""

import math
from typing import Any

import keras
import tensorflow as tf

from kubefit.api.recipe import Phase, Schedule, ScheduleKind


class Rate(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Learning rate of one phase; counts its own steps from 0."""

    def __init__(self, phase: Phase, *, steps_per_epoch: int) -> None:
        if not isinstance(phase.learning_rate, float):
            raise ValueError(f"a phase needs a number as learning rate, not {phase.learning_rate}")
        self._peak = phase.learning_rate
        self._schedule = phase.schedule or Schedule()
        self._steps_per_epoch = steps_per_epoch
        self._total = phase.epochs * steps_per_epoch
        self._growth = 1.0
        self._factor = None
        if self._schedule.kind is ScheduleKind.PLATEAU:
            self._factor = keras.Variable(1.0, trainable=False, name="plateau_factor")

    def __call__(self, step: Any) -> Any:
        """The learning rate (float32 scalar) of the step (counted from 0)."""
        step = tf.cast(tf.convert_to_tensor(step), tf.float32)
        warmup = self._schedule.warmup_epochs * self._steps_per_epoch
        rise = tf.minimum(1.0, (step + 1.0) / warmup) if warmup >= 1 else 1.0
        if self._growth != 1.0:
            return self._peak * tf.pow(self._growth, step)
        share = self._after(tf.maximum(0.0, step - warmup), warmup)
        return tf.convert_to_tensor(self._peak * rise * share, tf.float32)

    def _after(self, step: Any, warmup: float) -> Any:
        """Share of the peak so many steps after the warm-up."""
        schedule = self._schedule
        if schedule.kind is ScheduleKind.COSINE:
            done = tf.minimum(1.0, step / max(1.0, self._total - warmup))
            wave = 0.5 * (1.0 + tf.cos(math.pi * done))
            return schedule.floor + (1.0 - schedule.floor) * wave
        if schedule.kind is ScheduleKind.STEP:
            times = tf.floor(step / (schedule.every * self._steps_per_epoch))
            return tf.maximum(schedule.floor, tf.pow(schedule.factor, times))
        if self._factor is not None:
            return tf.convert_to_tensor(self._factor)
        return 1.0

    def sweep(self, growth: float) -> None:
        """Multiplies by that factor from step to step instead; before the first step."""
        self._growth = growth

    def lower(self) -> float:
        """Lowers the factor of a plateau once, not below its floor; returns it."""
        if self._factor is None:
            return 1.0
        lowered = float(self._factor.numpy()) * self._schedule.factor
        self.set_factor(max(self._schedule.floor, lowered))
        return float(self._factor.numpy())

    def set_factor(self, factor: float) -> None:
        """Sets the factor of a plateau."""
        if self._factor is not None:
            self._factor.assign(factor)

    def get_config(self) -> dict[str, Any]:
        """Nothing: models are saved without their optimizer."""
        return {}
