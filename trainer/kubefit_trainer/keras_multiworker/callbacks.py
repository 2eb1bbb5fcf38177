"""Callbacks of Keras that write: one writer per file.

Broken: every worker opens the same CSV file, event files and backups; BackupAndRestore and
ModelCheckpoint race for their folders, and the end of training removes a folder under the others.
Cause: keras/src/callbacks has no idea of a chief.
Upstream: https://github.com/keras-team/keras/issues/20585
Instead: TensorBoard, CSVLogger and RemoteMonitor do nothing outside of the chief, also as base
classes of a program's own callbacks; BackupAndRestore saves through the gates of `saving` and keeps
its other files to the chief; folders that exist already are no error. Decisions (which epoch is
the best, when to stop) need no change: the logs are the same everywhere.
"""

import json
import os
from typing import Any

import tensorflow as tf
from keras.src.callbacks import BackupAndRestore, CSVLogger, RemoteMonitor, TensorBoard
from keras.src.utils import file_utils

from kubefit_trainer.keras_multiworker import cluster, saving
from kubefit_trainer.keras_multiworker.patching import Patch, Target

_CHIEF_ONLY = {
    CSVLogger: ("on_train_begin", "on_epoch_end", "on_train_end"),
    RemoteMonitor: ("on_epoch_end",),
    TensorBoard: (
        "_configure_embeddings",
        "_write_keras_model_summary",
        "_write_keras_model_train_graph",
        "_start_trace",
        "_stop_trace",
        "_log_epoch_metrics",
        "_log_weights",
        "_start_profiler",
        "_stop_profiler",
    ),
}


def _apply() -> None:
    for owner, names in _CHIEF_ONLY.items():
        for name in names:
            setattr(owner, name, _on_chief(getattr(owner, name)))
    for name in ("_train_writer", "_val_writer"):
        setattr(TensorBoard, name, property(_writer(getattr(TensorBoard, name).fget)))
    BackupAndRestore._save_model = _back_up
    BackupAndRestore.on_train_end = _on_chief(BackupAndRestore.on_train_end)
    makedirs = file_utils.makedirs

    def makedirs_once(path: Any) -> None:
        if file_utils.is_remote_path(path):
            makedirs(path)
        else:
            os.makedirs(path, exist_ok=True)  # noqa: PTH103

    file_utils.makedirs = makedirs_once


def _on_chief(original: Any) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if cluster.member().chief:
            return original(self, *args, **kwargs)
        return None

    method.__name__ = original.__name__
    return method


def _writer(original: Any) -> Any:
    def writer(self: Any) -> Any:
        return original(self) if cluster.member().chief else tf.summary.create_noop_writer()

    return writer


def _back_up(self: Any) -> None:
    """Weights first, then the epoch they belong to, each whole; the copies before both."""
    if cluster.member().chief:
        file_utils.makedirs(self.backup_dir)
        if self.double_checkpoint:
            for path, previous in (
                (self._weights_path, self._prev_weights_path),
                (self._training_metadata_path, self._prev_training_metadata_path),
            ):
                if file_utils.exists(path):
                    file_utils.copy(path, previous)
    self.model.save_weights(filepath=self._weights_path, overwrite=True)
    if cluster.member().chief:
        done = {"epoch": self._current_epoch, "batch": self._last_batch_seen}
        saving.atomically(str(self._training_metadata_path), lambda path: _write_json(path, done))


def _write_json(path: str, value: Any) -> None:
    with file_utils.File(path, "w") as file:
        file.write(json.dumps(value))


PATCH = Patch(
    name="callbacks",
    targets=(
        *(Target(owner=owner, name=name) for owner, names in _CHIEF_ONLY.items() for name in names),
        Target(owner=TensorBoard, name="_train_writer"),
        Target(owner=TensorBoard, name="_val_writer"),
        Target(owner=BackupAndRestore, name="_save_model", parameters=("self",)),
        Target(owner=file_utils, name="makedirs", parameters=("path",)),
    ),
    apply=_apply,
)
