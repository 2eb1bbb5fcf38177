"""A program of several calls of fit goes on in the midst of one, and never knows."""

import json
from pathlib import Path
from typing import Any

import pytest

from kubefit.api.names import Env, Phase
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.local import run_local

pytestmark = pytest.mark.train

PROGRAM = f"""
import hashlib, json, os, signal, sys
from collections import defaultdict
from pathlib import Path

import keras
import numpy as np

keras.utils.set_random_seed(3)
x = np.random.default_rng(0).normal(size=(72, 4)).astype("float32")
y = keras.utils.to_categorical(np.arange(72) % 3, 3)


def network(hidden):
    layers = [keras.layers.Dense(hidden, "relu"), keras.layers.Dropout(0.2)]
    made = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(3, "softmax")])
    # A metric of several numbers.
    made.compile("adam", "categorical_crossentropy", metrics=[keras.metrics.F1Score()])
    return made


class Own(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.began = np.datetime64("2026-01-01")
        self.losses = defaultdict(list)

    def on_train_batch_end(self, batch, logs=None):
        self.losses[batch].append(float(logs["loss"]))


class Dies(keras.callbacks.Callback):
    # In the midst of an epoch, as soon as a snapshot of this fit is there.
    def on_train_batch_end(self, batch, logs=None):
        died, first = Path(sys.argv[1]), 4 * 8
        kept = Path(os.environ["{Env.SNAPSHOT_DIR}"]).glob("step-*.npz")
        steps = [int(path.stem.partition("-")[2]) for path in kept]
        if batch == 2 and not died.exists() and max(steps, default=0) > first + 4:
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)


teacher, student, own = network(8), network(4), Own()
first = teacher.fit(x, y, batch_size=10, epochs=2, verbose=0)
second = teacher.fit(x, y, batch_size=10, epochs=1, verbose=0)
taught = teacher.predict(x, verbose=0)
between = student.fit(x, taught, batch_size=10, epochs=1, verbose=0)
third = student.fit(
    x, taught, batch_size=10, epochs=40, verbose=0, validation_split=0.1,
    callbacks=[own, keras.callbacks.ReduceLROnPlateau("val_loss", patience=2), Dies()],
)
fits = [first, second, between, third]
print("RESULT", json.dumps({{
    "epochs": [fit.epoch for fit in fits],
    "histories": [{{k: np.asarray(v).tolist() for k, v in fit.history.items()}} for fit in fits],
    "own": sorted(own.losses.items()),
    "weights": [
        hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest()
        for model in (teacher, student)
    ],
}}))
"""


def result_of(volume: Path, name: str, died: Path) -> tuple[dict[str, Any], int, str]:
    """What the program prints at its end, the number of restarts, and what else it said."""
    spec = {
        "workers": 1,
        "storage": {"claim": "none"},
        "checkpoint": {"memoryEverySteps": 3},
        "script": {"volumePath": "program.py", "args": [str(died)]},
    }
    job = TrainingJob.model_validate({"metadata": {"name": name}, "spec": spec})
    result = run_local(job, volume_dir=volume, runs_dir=volume / "runs", on_status=lambda _: None)
    assert result.phase is Phase.SUCCEEDED, result.failure
    logs = sorted((result.job_dir / "logs").glob("attempt-*/worker-0.log"))
    said = "".join(log.read_text() for log in logs)
    (printed,) = [line for line in said.splitlines() if line.startswith("RESULT ")]
    return json.loads(printed.partition(" ")[2]), result.restarts, said


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> tuple[Any, Any]:
    volume = tmp_path_factory.mktemp("volume")
    (volume / "program.py").write_text(PROGRAM)
    (volume / "already").touch()
    undisturbed = result_of(volume, "whole", volume / "already")
    return undisturbed, result_of(volume, "killed", volume / "died")


def test_it_went_on_within_the_call_of_fit_that_was_interrupted(both) -> None:
    _, (_, restarts, said) = both
    assert restarts == 1
    assert "going on from step" in said


@pytest.mark.parametrize("what", ["epochs", "histories", "own", "weights"])
def test_what_it_ends_with_is_that_of_an_undisturbed_run(both, what: str) -> None:
    (undisturbed, _, _), (killed, _, _) = both
    assert killed[what] == undisturbed[what]
