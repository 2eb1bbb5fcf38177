"""Curves for TensorBoard, which are not worth the training: a full volume does not stop it."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.ops import summary_ops_v2


class Curves(keras.callbacks.TensorBoard):  # type: ignore[misc]
    """Falls silent when its files cannot be written, until the next call of `fit`."""

    _ended = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Opens the file of training; there may be space again."""
        self._ended = False
        self._or_end(super().on_train_begin, logs)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Counts."""
        self._or_end(super().on_train_batch_begin, batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Writes to the file that is the default, if there is one."""
        self._or_end(super().on_train_batch_end, batch, logs)

    def on_test_begin(self, logs: Any = None) -> None:
        """Opens the file of validation."""
        self._or_end(super().on_test_begin, logs)

    def on_test_end(self, logs: Any = None) -> None:
        """Writes the metrics of validation."""
        self._or_end(super().on_test_end, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes the metrics of the epoch."""
        self._or_end(super().on_epoch_end, epoch, logs)

    def on_train_end(self, logs: Any = None) -> None:
        """Closes the files."""
        self._or_end(super().on_train_end, logs)

    def _or_end(self, hook: Callable[..., None], *arguments: Any) -> None:
        if self._ended:
            return
        try:
            hook(*arguments)
        except (OSError, tf.errors.OpError) as error:
            self._ended = True
            # TensorFlow leaves a file that cannot be flushed as the default of all that is told.
            summary_ops_v2._summary_state.writer = None
            text = str(error).splitlines()[0]
            print(f"no curves are written for TensorBoard any more: {text}", flush=True)
