"""Before the first step of a fit the workers compare what must be the same on all of them.

A difference is named (which worker, what) and ends the program on every worker; without the
comparison it would be a collective in which they wait for each other for ever.
"""

import itertools
import json
import platform
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kubefit_trainer.keras_multiworker import cluster, coordination
from kubefit_trainer.keras_multiworker.errors import DifferentProgramError

TIMEOUT_SECONDS = 900.0
"""How long a worker that is ready to train waits for the others to be."""

_rounds = itertools.count()


def compare(model: Any, params: dict[str, Any]) -> None:
    """Compares this worker's training with the others'; all must call it.

    Raises:
        DifferentProgramError: the workers differ, or one did not come.

    """
    if coordination.alone():
        return
    this = next(_rounds)
    member = cluster.member()
    coordination.publish(f"preflight/{this}/{member.rank}", json.dumps(describe(model, params)))
    if member.chief:
        coordination.publish(f"preflight/{this}/verdict", _verdict(this, member.workers))
    verdict = coordination.read(f"preflight/{this}/verdict", 2 * TIMEOUT_SECONDS)
    if verdict != "same":
        raise DifferentProgramError(verdict or "worker 0 has not reached the first step of fit")


def describe(model: Any, params: dict[str, Any]) -> dict[str, str]:
    """What must be equal, by the name under which a difference is reported."""
    optimizer = getattr(model, "optimizer", None)
    facts = {
        "version of Keras": keras.__version__,
        "version of TensorFlow": tf.__version__,
        "version of NumPy": np.__version__,
        "version of Python": platform.python_version(),
        "number of epochs": params.get("epochs"),
        "number of steps per epoch": params.get("steps"),
        "steps_per_execution": model.steps_per_execution,
        "structure of the data": getattr(model, "_data_spec", None),
        "optimizer": optimizer.get_config() if optimizer is not None else None,
        "number of variables": len(model.variables),
    }
    described = {name: _text(value) for name, value in facts.items()}
    for i, variable in enumerate(model.variables):
        described[f"variable {i}"] = f"{tuple(variable.shape)} {variable.dtype}"
    return described


def _text(value: Any) -> str:
    return json.dumps(value, default=lambda other: type(other).__name__, sort_keys=True)


def _verdict(this: int, workers: int) -> str:
    chief: dict[str, str] = {}
    for rank in range(workers):
        answer = coordination.read(f"preflight/{this}/{rank}", TIMEOUT_SECONDS)
        if answer is None:
            return (
                f"worker {rank} has not reached the first step of fit within "
                f"{TIMEOUT_SECONDS:.0f} s; all workers must run the same program"
            )
        mine = json.loads(answer)
        chief = chief or mine
        for name in {**chief, **mine}:
            if chief.get(name) != mine.get(name):
                return (
                    f"worker {rank} differs from worker 0 in the {name}: {mine.get(name)} instead "
                    f"of {chief.get(name)}; all workers must run the same program"
                )
    return "same"
