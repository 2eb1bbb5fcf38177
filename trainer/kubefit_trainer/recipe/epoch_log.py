"""One line per epoch, for people and for programs that collect `name=value`."""

import time
from collections.abc import Mapping

import keras
import numpy as np


def epoch_line(
    epoch: int, epochs: int, logs: Mapping[str, float], *, seconds: float, examples: int
) -> str:
    """`epoch=3/10 loss=0.1234 accuracy=0.9700 seconds=1.2 examples_per_second=1200`.

    Metrics of many numbers, such as F1 of each class, have no place in it.
    """
    ordered = sorted(
        (name for name, value in logs.items() if np.ndim(value) == 0),
        key=lambda name: (name.startswith("val_"), not name.endswith("loss"), name),
    )
    metrics = " ".join(f"{name}={logs[name]:.6g}" for name in ordered)
    speed = examples / seconds if seconds > 0 else 0.0
    return f"epoch={epoch}/{epochs} {metrics} seconds={seconds:.2f} examples_per_second={speed:.0f}"


class EpochLog(keras.callbacks.Callback):  # type: ignore[misc]
    """Prints `epoch_line` at the end of each epoch; for the chief."""

    def __init__(self, *, epochs: int, examples_per_epoch: int) -> None:
        super().__init__()
        self._epochs = epochs
        self._examples = examples_per_epoch
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Starts the clock."""
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Prints the line."""
        seconds = time.monotonic() - self._started
        line = epoch_line(
            epoch + 1, self._epochs, logs or {}, seconds=seconds, examples=self._examples
        )
        print(line, flush=True)
