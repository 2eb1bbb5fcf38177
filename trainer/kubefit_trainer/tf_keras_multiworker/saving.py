"""One writer per file, and no collective in it, so that all workers may save or the chief alone.

Left to itself tf_keras writes the same file from all workers at once, which HDF5 refuses; what one
worker saves alone makes variables and reads metrics in collectives that the others never join.

Here the first worker that begins a file writes it, the chief before all others, and the others
return when it has. It writes in a thread of its own, which has no strategy: variables made there
are not broadcast, and those that are summed or averaged over the workers are read as this worker
has them. `callbacks` keeps the statistics of BatchNormalization equal on all.
"""

import functools
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras
from tensorflow.python.distribute import values
from tf_keras.src.saving import saving_api

from kubefit_trainer.tf_keras_multiworker import cluster

_CHIEF_FIRST_SECONDS = 10.0
"""How long the others let the chief begin, before one of them takes the file for its own."""
_WRITE_SECONDS = 3600.0
_DONE = "done"

_saves: Counter[str] = Counter()


class SavingFailedError(RuntimeError):
    """The worker that writes a file for all could not; the message says which and why."""


def install() -> None:
    """Gates every way to save a model."""
    for name in ("save_model", "save_weights"):
        original = getattr(saving_api, name)
        _replace_everywhere(name, original, _by_one(original))
    tf_keras.Model.export = _by_one(tf_keras.Model.export)
    tf.saved_model.save = _by_one(tf.saved_model.save)
    _read_locally_where_one_writes()


def _replace_everywhere(name: str, original: Any, gated: Any) -> None:
    """In the module that defines it and in those that export it."""
    for module in (saving_api, tf_keras.models, tf_keras.saving):
        if getattr(module, name, None) is original:
            setattr(module, name, gated)


def _read_locally_where_one_writes() -> None:
    original = values.SyncOnReadVariable._get_cross_replica

    def get(self: Any) -> Any:
        if cluster.in_writing_thread():
            return self._get_on_device_or_primary().read_value()
        return original(self)

    values.SyncOnReadVariable._get_cross_replica = get


def _by_one(original: Any) -> Any:
    @functools.wraps(original)
    def save(model: Any, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        def write() -> Any:
            return original(model, filepath, *args, **kwargs)

        if cluster.alone() or cluster.in_writing_thread():
            return write()
        if not isinstance(filepath, str | os.PathLike):
            return _without_strategy(write)
        return _in_turn(os.fspath(filepath), write)

    return save


def _in_turn(path: str, write: Callable[[], Any]) -> Any:
    name = _common(path)
    _saves[name] += 1
    key = f"save/{_saves[name]}/{name}"
    if not cluster.is_chief():
        cluster.read(f"{key}/begun", _CHIEF_FIRST_SECONDS)
    if not cluster.publish(f"{key}/begun", str(cluster.rank())):
        return _wait(key, path)
    try:
        result = _without_strategy(write)
    except BaseException as error:
        cluster.publish(f"{key}/ended", f"{type(error).__name__}: {error}"[:2000])
        raise
    cluster.publish(f"{key}/ended", _DONE)
    return result


def _common(path: str) -> str:
    """The path by which all workers know a file: tf_keras gives all but the chief a folder."""
    parts = [part for part in Path(path).absolute().parts if part != _temporary()]
    return path if "://" in path else str(Path(*parts))


def _temporary() -> str:
    """As in tf_keras.src.distribute.distributed_file_utils and in TensorFlow's tutorials."""
    return f"workertemp_{cluster.rank()}"


def _wait(key: str, path: str) -> None:
    word = cluster.read(f"{key}/ended", _WRITE_SECONDS)
    if word != _DONE:
        writer = cluster.read(f"{key}/begun", _CHIEF_FIRST_SECONDS)
        why = word or f"it took more than {_WRITE_SECONDS:.0f} s"
        raise SavingFailedError(f"worker {writer} could not write {path}: {why}")


def _without_strategy(write: Callable[[], Any]) -> Any:
    """Strategies are entered by thread: another one has none."""
    with ThreadPoolExecutor(1, initializer=cluster.mark_writing_thread) as pool:
        return pool.submit(write).result()
