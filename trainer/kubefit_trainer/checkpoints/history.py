"""The History of a call of `fit`, as plain data and back."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from kubefit_trainer.checkpoints import callback_state
from kubefit_trainer.checkpoints.snapshot import Snapshot


def of(model: Any) -> dict[str, Any]:
    """What History has of a fit; metrics of many numbers are arrays, and programs add their own."""
    history = model.history
    values = {name: [_plain(value) for value in kept] for name, kept in history.history.items()}
    return {"epoch": [int(epoch) for epoch in history.epoch], "history": values}


def logs_of(logs: Mapping[str, Any]) -> dict[str, Any]:
    """Logs of Keras as plain data."""
    return {name: _plain(value) for name, value in logs.items()}


def _plain(value: Any) -> Any:
    found = np.asarray(value) if keras.ops.is_tensor(value) else value
    try:
        callback_state.plain(found, "", {})
    except callback_state.NotPlainError:
        return repr(found)
    return found


def all_of(resume: Snapshot) -> list[dict[str, Any]]:
    """Those of all calls of `fit` up to that of the snapshot."""
    return [callback_state.restored(history, resume.arrays) for history in resume.histories]


def restore(history: Any, kept: Mapping[str, Any]) -> None:
    """Gives a History what it had."""
    history.epoch = list(kept["epoch"])
    history.history = {name: list(values) for name, values in kept["history"].items()}
