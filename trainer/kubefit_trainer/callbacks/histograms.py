"""Histograms of the weights that are trained, for TensorBoard; knows neither Keras.

They are not worth the training: a full volume does not stop it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kubefit_trainer.callbacks.reporter import Reporter

RUN = "weights"
"""Run of TensorBoard that has them."""


class HistogramFile:
    """The event file of this process, made when the first histogram is due."""

    def __init__(self, folder: Path, *, every_epochs: int) -> None:
        """Writes to the run `RUN` below the folder."""
        self._folder, self._every = folder / RUN, every_epochs
        self._writer: Any = None
        self._ended = False

    def write_if_due(self, model: Any, epoch: int) -> None:
        """Writes a histogram of each weight that is trained, if the epoch is one of those asked.

        Args:
            model: Of either Keras.
            epoch: Its number over all calls of `fit`, from 1; the step in TensorBoard.

        """
        if self._ended or not epoch or epoch % self._every:
            return
        try:
            if self._writer is None:
                self._writer = tf.summary.create_file_writer(str(self._folder))
            with self._writer.as_default(step=epoch):
                for name, values in _weights(model):
                    tf.summary.histogram(name, values[np.isfinite(values)])
            self._writer.flush()
        except (OSError, tf.errors.OpError) as error:
            self._ended = True
            text = (str(error).splitlines() or [type(error).__name__])[0]
            print(f"no histograms are written for TensorBoard any more: {text}", flush=True)


def _weights(model: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Names, each once, and numbers as this worker has them: reading them asks no other worker."""
    seen: Counter[str] = Counter()
    for variable in model.trainable_variables:
        name = str(getattr(variable, "path", variable.name)).removesuffix(":0")
        seen[name] += 1
        count = seen[name]
        yield name if count == 1 else f"{name}_{count}", np.asarray(variable.numpy(), np.float64)


class Histograms:
    """Writes the histograms of one call of `fit`; a Keras's `Callback` goes with it."""

    model: Any

    def __init__(self, file: HistogramFile, reporter: Reporter) -> None:
        super().__init__()
        self._file, self._reporter = file, reporter

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Comes after the callback that counts epochs."""
        self._file.write_if_due(self.model, self._reporter.epochs)
