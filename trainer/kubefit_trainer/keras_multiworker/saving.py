"""Saving from every worker at once: one writer, whole files, no worker reads too early.

Broken: `model.save`, `save_weights` and `export` write the same file from all workers, which HDF5
answers with BlockingIOError; a killed writer leaves half a file; a worker that loads what another
is still writing fails.
Cause: keras/src/saving/saving_api.py and keras/src/export know no workers.
Upstream: https://github.com/keras-team/keras/issues/20585
Cause of a hang: while it walks over a model, Keras makes an optimizer of its own to compare with,
and under a strategy making its variables is a collective.
Instead: the chief writes, outside of the strategy, beside the target and renames; the others wait
for its word, which comes over the key-value store, so that a chief that saves alone waits for
nobody. Every save of a model that has trained since the last one makes its statistics global
first, which all workers must do.
"""

import contextlib
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
from keras.src.models import model as model_module
from keras.src.saving import saving_api

from kubefit_trainer.keras_multiworker import batch_norm, cluster, coordination, meeting
from kubefit_trainer.keras_multiworker.errors import MultiWorkerError
from kubefit_trainer.keras_multiworker.patching import Patch, Target

WRITE_TIMEOUT_SECONDS = 1800.0
"""How long a worker waits for the chief to finish one file."""

_saves: Counter[str] = Counter()


def by_chief(target: str, write: Callable[[], Any]) -> Any:
    """Runs `write` on the chief only; the others return after it has, or fail as it did.

    Raises:
        MultiWorkerError: the chief failed to write, or did not come.

    """
    if coordination.alone():
        return write()
    _saves[target] += 1
    key = f"saved/{_saves[target]}/{target}"
    if not cluster.member().chief:
        _wait(key, target)
        return None
    try:
        with cluster.outside_strategy():
            result = write()
    except BaseException as error:
        coordination.publish(key, f"failed: {type(error).__name__}: {error}"[:2000])
        raise
    coordination.publish(key, "done")
    return result


def _wait(key: str, target: str) -> None:
    word = meeting.hear(key, 0, f"the saving of {target}", WRITE_TIMEOUT_SECONDS)
    if word != "done":
        raise MultiWorkerError(f"worker 0 could not write {target}: {word}")


def atomically(path: str, write: Callable[[str], Any]) -> Any:
    """Writes to a temporary name beside `path` and puts it in place in one step.

    The temporary name keeps the ending, by which Keras knows the format. Remote paths, which have
    no rename in one step, are written directly.
    """
    if "://" in path:
        return write(path)
    target = Path(path)
    folder = target.parent / f".{target.name}.{uuid.uuid4().hex[:8]}.tmp"
    folder.mkdir(parents=True)
    try:
        result = write(str(folder / target.name))
        for written in sorted(folder.iterdir(), key=lambda one: one.name == target.name):
            _replace(written, target.parent / written.name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return result


def _replace(written: Path, target: Path) -> None:
    if target.is_dir() and not target.is_symlink():
        old = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.old")
        target.rename(old)
        written.rename(target)
        shutil.rmtree(old)
    else:
        written.replace(target)


def _apply() -> None:
    save_model = _gated(saving_api.save_model)
    save_weights = _gated(saving_api.save_weights)
    saving_api.save_model = save_model
    saving_api.save_weights = save_weights
    for module, name, function in (
        (keras.saving, "save_model", save_model),
        (keras.models, "save_model", save_model),
        (keras.saving, "save_weights", save_weights),
    ):
        with contextlib.suppress(AttributeError):
            getattr(module, name)
            setattr(module, name, function)
    model_module.Model.export = _gated(model_module.Model.export)


def _gated(original: Any) -> Any:
    def save(model: Any, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        strategy = getattr(model, "distribute_strategy", None)
        if not isinstance(filepath, str | os.PathLike) or not cluster.is_ours(strategy):
            return original(model, filepath, *args, **kwargs)
        if batch_norm.needs_global(model):
            batch_norm.make_global(model)
        path = os.fspath(filepath)
        if (kwargs.get("overwrite", True) is False) and Path(path).exists():
            return by_chief(path, lambda: original(model, path, *args, **kwargs))

        def write() -> Any:
            return atomically(path, lambda name: original(model, name, *args, **kwargs))

        return by_chief(path, write)

    save.__name__ = original.__name__
    save.__doc__ = original.__doc__
    return save


PATCH = Patch(
    name="saving",
    targets=(
        Target(
            owner=saving_api,
            name="save_model",
            parameters=("model", "filepath", "overwrite", "zipped", "kwargs"),
        ),
        Target(owner=saving_api, name="save_weights"),
        Target(owner=model_module.Model, name="export"),
    ),
    apply=_apply,
)
