"""Callbacks on many workers: one writer of the files that tf_keras writes on all, and statistics.

ModelCheckpoint, BackupAndRestore and TensorBoard know workers: all but the chief write to folders
of their own, which they remove. CSVLogger and RemoteMonitor do not: here the chief alone runs them.

Moving statistics of BatchNormalization differ between workers until they are read in a collective.
They are made the mean of all before they are used: by evaluation, prediction and saved models.
"""

import functools
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorflow.python.distribute import values
from tf_keras.src import callbacks

from kubefit_trainer.tf_keras_multiworker import cluster

_CHIEF_ONLY = {
    callbacks.CSVLogger: ("on_train_begin", "on_epoch_end", "on_train_end"),
    callbacks.RemoteMonitor: ("on_epoch_end",),
}


class GlobalStatistics(callbacks.Callback):  # type: ignore[misc]
    """Comes before all other callbacks; every worker calls it at the same places."""

    _supports_tf_logs = True

    def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Validation within fit comes before the end of its epoch."""
        average_statistics(self.model)

    def on_predict_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """A prediction is that of one process."""
        average_statistics(self.model)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Other callbacks save at the end of an epoch, and programs after the last one."""
        average_statistics(self.model)


def average_statistics(model: Any) -> None:
    """Sets every worker's moving statistics to the mean of all; a collective of all workers."""
    for variable in model.variables:
        is_statistic = isinstance(variable, values.SyncOnReadVariable)
        if is_statistic and variable.aggregation == tf.VariableAggregation.MEAN:
            variable.assign(variable.read_value())


def install() -> None:
    """Changes the callbacks of tf_keras, and adds `GlobalStatistics` to every list of them."""
    if cluster.alone():
        return
    for owner, names in _CHIEF_ONLY.items():
        for name in names:
            setattr(owner, name, _on_chief(getattr(owner, name)))
    checkpoint = callbacks.ModelCheckpoint._save_model

    def save_model(self: Any, *args: Any, **kwargs: Any) -> None:
        average_statistics(self.model)
        checkpoint(self, *args, **kwargs)

    callbacks.ModelCheckpoint._save_model = save_model
    list_init = callbacks.CallbackList.__init__

    def with_statistics(self: Any, given: Any = None, *args: Any, **kwargs: Any) -> None:
        list_init(self, [GlobalStatistics(), *tf.nest.flatten(given or [])], *args, **kwargs)

    callbacks.CallbackList.__init__ = with_statistics


def _on_chief(original: Any) -> Any:
    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, *args, **kwargs) if cluster.is_chief() else None

    return method
