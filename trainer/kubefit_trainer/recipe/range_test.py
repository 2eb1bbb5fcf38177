"""`learningRate: auto`: some dozen real steps at rates from small to large, then a choice.

After Smith: Cyclical learning rates for training neural networks (WACV 2017). The losses are those
of the global batch, the same on every worker, so that all choose the same without a word.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from kubefit.api.recipe import Optimizer, Phase, Schedule, ScheduleKind
from kubefit_trainer.recipe import trial
from kubefit_trainer.recipe.schedules import Rate

STEPS = 60
FALLBACK = 0.001
"""Taken where no rate lowers the loss."""

_RANGE = {Optimizer.SGD: (1e-5, 10.0)}
_RANGE_OF_OTHERS = (1e-6, 1.0)
_SMOOTHING = 0.8
_DIVERGED = 3.0
"""A loss so many times the smallest ends the test."""
_MARGIN = 10.0
"""The rate of the smallest loss is at the edge of diverging; a tenth of it is safe."""


def rates(optimizer: Optimizer) -> NDArray[np.float64]:
    """Learning rates to try, each the same multiple of the one before."""
    low, high = _RANGE.get(optimizer, _RANGE_OF_OTHERS)
    return np.geomspace(low, high, STEPS)


def smoothed(losses: Sequence[float]) -> NDArray[np.float64]:
    """Exponential moving averages without the bias to zero of their start."""
    average, found = 0.0, []
    for step, loss in enumerate(losses, start=1):
        average = _SMOOTHING * average + (1.0 - _SMOOTHING) * loss
        found.append(average / (1.0 - _SMOOTHING**step))
    return np.asarray(found)


def diverged(losses: Sequence[float]) -> bool:
    """Whether the last loss tells that higher rates need not be tried."""
    averages = smoothed(losses)
    return not math.isfinite(losses[-1]) or averages[-1] > _DIVERGED * max(averages.min(), 1e-12)


def choose(tried: Sequence[float], losses: Sequence[float]) -> float:
    """The rate to train with, from the losses of the first rates, finite or not."""
    finite = [loss for loss in losses if math.isfinite(loss)]
    if len(finite) < 2:
        return FALLBACK
    averages = smoothed(finite)
    best = int(averages.argmin())
    return FALLBACK if best == 0 else float(f"{tried[best] / _MARGIN:.2g}")


class _Losses(keras.callbacks.Callback):  # type: ignore[misc]
    """Losses of single steps, from the running means that Keras logs."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []
        self._sum = 0.0

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        total = float((logs or {})["loss"]) * (batch + 1)
        self.losses.append(total - self._sum)
        self._sum = total
        if diverged(self.losses):
            self.model.stop_training = True


def find(
    model: keras.Model,
    optimizer: Optimizer,
    phase: Phase,
    *,
    prepare: Callable[[Phase, int], Rate],
    train: Callable[[int, list[keras.callbacks.Callback]], object],
) -> float:
    """Finds a learning rate for a phase; leaves the model's weights as they were.

    Every worker must call it.

    Args:
        model: The model as the phase before left it.
        optimizer: Tells the range.
        phase: The phase to find it for.
        prepare: Compiles the model for a phase of so many steps an epoch.
        train: Trains so many steps on the data of the phase.

    """
    tried = rates(optimizer)
    probe = phase.model_copy(
        update={
            "epochs": 1,
            "learning_rate": float(tried[0]),
            "schedule": Schedule(kind=ScheduleKind.CONSTANT),
        }
    )
    prepare(probe, STEPS).sweep(float(tried[1] / tried[0]))
    watch = _Losses()
    with trial.of(model):
        train(STEPS, [watch])
    return choose(list(tried), watch.losses)
