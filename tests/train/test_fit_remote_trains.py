"""`fit_remote` on two workers of this machine gives what `fit` in one process gives."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kubefit import JobFailedError, TrainingClient

pytestmark = pytest.mark.train

ALONE = """
import json, sys

sys.path.insert(0, sys.argv[1])
import keras
from test_fit_remote_trains import build_model, made_data

keras.utils.set_random_seed(5)
x, y = made_data()
model = build_model(units=6)
held_out = x[40:], y[40:]
how = {"epochs": 2, "batch_size": 10, "shuffle": False, "verbose": 0}
history = model.fit(x[:40], y[:40], validation_data=held_out, **how).history
print(json.dumps(history))
"""


def build_model(units):
    import keras

    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(units, "relu"),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    model.compile(
        keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def made_data():
    x = np.random.default_rng(0).normal(size=(48, 4)).astype("float32")
    return x, (np.arange(48) % 3).astype("int32")


def test_two_workers_give_the_history_and_the_model_of_fit_in_one_process(tmp_path: Path):
    command = [sys.executable, "-c", ALONE, str(Path(__file__).parent)]
    alone = subprocess.run(command, capture_output=True, text=True)
    assert alone.returncode == 0, alone.stderr
    history = json.loads(alone.stdout.splitlines()[-1])
    x, y = made_data()
    with TrainingClient("local", runs_dir=tmp_path / "runs") as client:
        try:
            done = client.fit_remote(
                build_model,
                (x[:40], y[:40]),
                workers=2,
                epochs=2,
                shuffle=False,
                batch_size=10,
                validation_data=(x[40:], y[40:]),
                arguments={"units": 6},
                seed=5,
            )
        except JobFailedError as error:
            raise AssertionError(str(error)) from error
        curve = client.metrics(done.name)
    assert set(done.history) == set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    for name, values in history.items():
        assert done.history[name] == pytest.approx(values, rel=1e-5), name
    assert [epoch["epoch"] for epoch in curve] == [1, 2]
    assert [epoch["loss"] for epoch in curve] == pytest.approx(history["loss"], rel=1e-5)
    assert Path(done.model).is_file()
