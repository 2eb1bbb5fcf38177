"""A worker that waits for ever is found, shown with its stack, and started again with the other."""

import json
from pathlib import Path
from typing import Any

import pytest

from kubefit.api.names import Env, Phase
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.local import LocalResult, run_local

pytestmark = pytest.mark.train

PROGRAM = f"""
import os, threading
import keras, numpy as np

x = np.random.default_rng(0).normal(size=(80, 4)).astype("float32")
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")


def waits_for_ever():
    threading.Event().wait()


class Hangs(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        first = os.environ["{Env.ATTEMPT}"] == "1"
        if first and epoch == 2 and os.environ["{Env.RANK}"] == "1":
            waits_for_ever()


model.fit(x, x[:, 0], batch_size=8, epochs=4, verbose=0, callbacks=[Hangs()])
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory) -> LocalResult:
    volume = tmp_path_factory.mktemp("volume")
    (volume / "program.py").write_text(PROGRAM)
    spec = {
        "workers": 2,
        "storage": {"claim": "none"},
        "checkpoint": {"memoryEverySteps": 5},
        "runPolicy": {"stallSeconds": 3},
        "script": {"volumePath": "program.py"},
    }
    job = TrainingJob.model_validate({"metadata": {"name": "stalled"}, "spec": spec})
    result = run_local(job, volume_dir=volume, runs_dir=volume / "runs", on_status=lambda _: None)
    assert result.phase is Phase.SUCCEEDED, result.failure
    return result


@pytest.fixture(scope="module")
def attempts(ended: LocalResult) -> list[dict[str, Any]]:
    return json.loads((ended.job_dir / "attempts.json").read_text())["attempts"]


def test_all_workers_started_again_because_of_the_stall(attempts) -> None:
    assert [a["cause"] and a["cause"]["reason"] for a in attempts] == ["Stalled", None]
    assert [a["charged"] for a in attempts] == [True, False]


def test_the_sentence_says_for_how_long_and_where(attempts) -> None:
    message = attempts[0]["cause"]["message"]
    assert "nothing happened for" in message
    assert "epoch 3, step 30" in message


def test_training_goes_on_from_the_last_snapshot(attempts) -> None:
    assert 20 <= attempts[1]["firstStep"] <= 30
    assert attempts[1]["lastStep"] == 40


def test_the_log_of_every_worker_shows_the_stacks_of_its_threads(ended: LocalResult) -> None:
    logs = [Path(ended.files.log(1, rank)).read_text() for rank in range(2)]
    assert all("(most recent call first)" in log for log in logs)
    assert "in waits_for_ever" in logs[1]
    assert "in waits_for_ever" not in logs[0]
