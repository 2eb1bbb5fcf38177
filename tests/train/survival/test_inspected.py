"""Histograms and a profile that a job asks for, of a program that does nothing for them."""

import json
from pathlib import Path

import numpy as np
import pytest
from event_files import histograms, profiled_steps

from kubefit.api.names import Env, Phase
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.local import LocalResult, run_local

pytestmark = pytest.mark.train

PROGRAM = f"""
import json, os, signal, sys
from pathlib import Path

import keras
import numpy as np

keras.utils.set_random_seed(3)
x = np.random.default_rng(0).normal(size=(48, 4)).astype("float32")
folder, chief = Path(sys.argv[1]), os.environ["{Env.RANK}"] == "0"


class Own(keras.callbacks.Callback):
    def __init__(self, name):
        super().__init__()
        self.name = name

    def on_epoch_end(self, epoch, logs=None):
        if chief:
            weights = [(w.path, np.asarray(w)) for w in self.model.trainable_variables]
            spans = {{name: [float(w.min()), float(w.max())] for name, w in weights}}
            (folder / f"{{self.name}}-{{epoch}}.json").write_text(json.dumps(spans))

    def on_train_batch_end(self, batch, logs=None):
        died = folder / "died"
        after = (folder / "second-0.json").exists()
        if chief and after and batch == 3 and not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)


normal = keras.layers.BatchNormalization()
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), normal, keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(x, x[:, :1], batch_size=8, epochs=3, verbose=0, callbacks=[Own("first")])
model.fit(x, x[:, :1], batch_size=8, epochs=4, verbose=0, callbacks=[Own("second")])
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> tuple[Path, LocalResult]:
    """A run of two calls of fit, of which the second is interrupted in its second epoch."""
    folder = tmp_path_factory.mktemp("inspected")
    asked = {"histograms": {"everyEpochs": 2}, "profile": {"steps": [10, 12]}}
    spec = {
        "workers": 2,
        "storage": {"claim": "none"},
        "checkpoint": {"memoryEverySteps": 2},
        "tensorboard": asked,
        "script": {"inline": PROGRAM, "args": [str(folder)]},
    }
    job = TrainingJob.model_validate({"metadata": {"name": "inspected"}, "spec": spec})
    result = run_local(job, volume_dir=folder, runs_dir=folder, on_status=lambda _: None)
    assert result.phase is Phase.SUCCEEDED, result.failure
    assert result.restarts == 1
    return folder, result


def test_each_trained_weight_has_a_histogram_at_the_asked_epochs_of_all_calls_of_fit(
    killed,
) -> None:
    folder, result = killed
    found = histograms(result.job_dir)
    written = {2: "first-1", 4: "second-0", 6: "second-2"}
    assert found.keys() == written.keys()
    for epoch, name in written.items():
        spans = json.loads((folder / f"{name}.json").read_text())
        assert found[epoch].keys() == spans.keys()
        for weight, (least, most) in spans.items():
            np.testing.assert_allclose(found[epoch][weight][0, 0], least)
            np.testing.assert_allclose(found[epoch][weight][-1, 1], most)


def test_one_profile_has_the_asked_steps(killed) -> None:
    _, result = killed
    assert profiled_steps(result.job_dir, "steps-10-12") == [10, 11, 12]
    logs = (result.job_dir / "logs").glob("attempt-*/worker-0.log")
    assert sum(log.read_text().count("the profile up to step 12 is in") for log in logs) == 1
