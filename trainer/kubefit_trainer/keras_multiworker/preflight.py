"""Before workers train, evaluate or predict they compare what must be the same on all of them.

A difference is named (which worker, what) and ends the program on every worker; without the
comparison it would be a collective in which they wait for each other for ever. They meet when a
call begins (versions, optimizer, structure of the model), when its data are known (structure,
number of steps), and before the first step (variables, epochs).
"""

import base64
import functools
import inspect
import itertools
import json
import platform
import zlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src import tree
from keras.src.backend.tensorflow import trainer as tf_trainer

from kubefit_trainer.keras_multiworker import (
    cluster,
    coordination,
    meeting,
    structure,
    switches,
    watchdog,
)
from kubefit_trainer.keras_multiworker.errors import DifferentProgramError, UnsupportedProgramError
from kubefit_trainer.keras_multiworker.patching import Patch, Target

_CALL = "call"
_CALLS = ("fit", "evaluate", "predict")
_CALLS_ON_BATCHES = ("train_on_batch", "test_on_batch", "predict_on_batch")
_rounds = itertools.count()


def compare(call: str, facts: dict[str, Any]) -> None:
    """Compares facts of this worker with the others'; all must call it for the same `call`.

    Raises:
        DifferentProgramError: the workers differ, or one did not come.
        PeerFailedError: a worker has failed.

    """
    if coordination.alone():
        return
    with watchdog.inside(call):
        _compare(call, facts)


def _compare(call: str, facts: dict[str, Any]) -> None:
    this = next(_rounds)
    member = cluster.member()
    described = {_CALL: call, **{name: _text(value) for name, value in facts.items()}}
    coordination.publish(f"preflight/{this}/{member.rank}", _packed(described))
    key = f"preflight/{this}/verdict"
    if member.chief:
        coordination.publish(key, _verdict(this, call, member.workers))
        _forget(this - 2, member.workers)
    # The chief itself may wait for another worker as long as it is patient.
    patience = switches.patience_seconds() * (1 if member.chief else 2)
    verdict = meeting.hear(key, 0, call, patience)
    if verdict != "same":
        raise DifferentProgramError(verdict)


def _verdict(this: int, call: str, workers: int) -> str:
    chief: dict[str, str] = {}
    for rank in range(workers):
        try:
            mine = _unpacked(meeting.hear(f"preflight/{this}/{rank}", rank, call))
        except DifferentProgramError as error:
            return str(error)
        chief = chief or mine
        if mine[_CALL] != call:
            return (
                f"worker {rank} is at {mine[_CALL]} while worker 0 is at {call}; call fit, "
                "evaluate and predict on all workers, in the same order"
            )
        for name in {**chief, **mine}:
            if chief.get(name) != mine.get(name):
                return (
                    f"worker {rank} differs from worker 0 in the {name}: {_short(mine.get(name))} "
                    f"instead of {_short(chief.get(name))}; all workers must run the same program"
                )
    return "same"


def _forget(this: int, workers: int) -> None:
    """Round `this` is over for all: they have come to a later one."""
    if this >= 0:
        for rank in range(workers):
            coordination.withdraw(f"preflight/{this}/{rank}")
        coordination.withdraw(f"preflight/{this}/verdict")


def _packed(described: dict[str, str]) -> str:
    return base64.b64encode(zlib.compress(json.dumps(described).encode())).decode()


def _unpacked(text: str) -> dict[str, str]:
    return dict(json.loads(zlib.decompress(base64.b64decode(text))))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, default=lambda other: type(other).__name__, sort_keys=True)


def _short(value: str | None) -> str:
    text = "nothing" if value is None else value
    return text if len(text) <= 120 else f"{text[:120]}..."


def data(source: Any) -> None:
    """Compares what the data of a call look like; rows may differ in number."""
    rows = tree.map_structure(_row_spec, source.element_spec)
    facts = {"structure of the data": repr(rows), "number of steps of the data": source.steps}
    compare("the preparation of data", facts)


def first_step(model: Any, params: dict[str, Any]) -> None:
    """Compares what is known when all is built and training is about to begin."""
    facts = {
        "number of epochs": params.get("epochs"),
        "number of steps per epoch": params.get("steps"),
        "number of variables": len(model.variables),
    }
    for i, variable in enumerate(model.variables):
        facts[f"variable {i}"] = f"{tuple(variable.shape)} {variable.dtype}"
    compare("the first step of fit", facts)


def _program(model: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    optimizer = getattr(model, "optimizer", None)
    return {
        "version of Keras": keras.__version__,
        "version of TensorFlow": tf.__version__,
        "version of NumPy": np.__version__,
        "version of Python": platform.python_version(),
        "steps_per_execution": model.steps_per_execution,
        "optimizer": type(optimizer).__name__,
        **({} if optimizer is None else structure.of_config(optimizer.get_config(), "optimizer")),
        "class of the model": type(model).__name__,
        "validation_data": type(arguments.get("validation_data")).__name__,
        "validation_freq": arguments.get("validation_freq"),
        **structure.of_model(model),
    }


def _row_spec(spec: Any) -> str:
    """Shape and dtype of one row; workers may have different numbers of rows."""
    if spec is None or isinstance(spec, tf.OptionalSpec):
        return "None"
    return f"{spec.shape[1:]} {spec.dtype.name}"


def _apply() -> None:
    for name in _CALLS:
        original = getattr(tf_trainer.TensorFlowTrainer, name)
        setattr(tf_trainer.TensorFlowTrainer, name, _met(name, original))
    for name in _CALLS_ON_BATCHES:
        original = getattr(tf_trainer.TensorFlowTrainer, name)
        setattr(tf_trainer.TensorFlowTrainer, name, _watched(name, original))


def _met(name: str, original: Any) -> Any:
    signature = inspect.signature(original)

    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if cluster.is_ours(self.distribute_strategy):
            if not kwargs.get("_use_cached_eval_dataset"):
                arguments = signature.bind_partial(self, *args, **kwargs).arguments
                facts = {"type of the data": type(arguments.get("x")).__name__}
                compare(name, facts | (_program(self, arguments) if name == "fit" else {}))
        elif name == "fit" and not coordination.alone() and not cluster.is_outside():
            raise UnsupportedProgramError(
                "this model was made outside of the strategy's scope and would be trained by each "
                "worker by itself; make it inside the scope, or train it in outside_strategy() if "
                "that is meant"
            )
        return original(self, *args, **kwargs)

    return method


def _watched(name: str, original: Any) -> Any:
    """Too often called for a comparison before each; so only who waits long looks at the others."""

    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not cluster.is_ours(self.distribute_strategy):
            return original(self, *args, **kwargs)
        with watchdog.inside(name):
            return original(self, *args, **kwargs)

    return method


PATCH = Patch(
    name="preflight",
    targets=tuple(
        Target(owner=tf_trainer.TensorFlowTrainer, name=name)
        for name in (*_CALLS, *_CALLS_ON_BATCHES)
    ),
    apply=_apply,
)
