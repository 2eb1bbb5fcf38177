"""Jobs of one small program, run by the command as people run it."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

KUBEFIT = str(Path(sys.executable).with_name("kubefit"))

PROGRAM = """
import hashlib, json, os, signal, shutil, sys, time
from pathlib import Path

import keras
import numpy as np

given = json.loads(sys.argv[1])
keras.utils.set_random_seed(3)
x = np.random.default_rng(0).normal(128, 60, (48, 8, 8, 1)).astype("float32")
y = np.arange(48) % 3


class Waits(keras.callbacks.Callback):
    # At each step for the checkpoints before it, and at one step to be killed.
    steps = 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        folder, reached = Path(given["checkpoints"]), Path(given["reached"])
        while self.steps > 8 and newest(folder) < self.steps - 8:
            time.sleep(0.01)
        if self.steps == given["at"]:
            reached.touch()
            signal.pause()


class DiesOnce(keras.callbacks.Callback):
    # As soon as the volume has a checkpoint; what training started from is gone by then.
    def on_train_batch_end(self, batch, logs=None):
        died, source = Path(given["dies"]), Path(given["source"])
        if os.environ["KUBEFIT_RANK"] != "0" or died.exists():
            return
        while batch == 5 and not newest(Path(given["checkpoints"])):
            time.sleep(0.01)
        if newest(Path(given["checkpoints"])):
            died.touch()
            shutil.rmtree(source)
            os.kill(os.getpid(), signal.SIGKILL)


def newest(folder):
    return max([int(path.stem[5:]) for path in folder.glob("step-*.npz")], default=0)


layers = keras.layers
model = keras.Sequential([
    keras.Input((8, 8, 1)),
    layers.Rescaling(1 / 255),
    layers.Conv2D(given.get("filters", 4), 3, activation="relu"),
    layers.GlobalAveragePooling2D(),
    layers.Dense(3, "softmax"),
])
rate = given.get("rate", 0.1)
model.compile(keras.optimizers.SGD(rate, momentum=0.9), "sparse_categorical_crossentropy")
stop = keras.callbacks.EarlyStopping("loss", patience=given.get("patience", 50))
own = [Waits()] * ("reached" in given) + [DiesOnce()] * ("dies" in given)
model.fit(x, y, batch_size=8, epochs=given.get("epochs", 12), verbose=0, callbacks=[stop, *own])
weights = hashlib.sha256(b"".join(np.asarray(w).tobytes() for w in model.weights)).hexdigest()
print("RESULT", json.dumps({"weights": weights, "best": stop.best, "patience": stop.patience}))
"""


@dataclass(frozen=True, slots=True)
class Desk:
    """A folder with the program and the runs of all jobs."""

    folder: Path

    def command(self, name: str, given: dict[str, Any] | Path, *options: str) -> list[str]:
        """`kubefit run` of a job with the program, which is given something, or of a manifest."""
        tail = []
        if isinstance(given, Path):
            options = (str(given), *options)
        else:
            job = {
                "apiVersion": "kubefit.dev/v1alpha1",
                "kind": "TrainingJob",
                "metadata": {"name": name},
                "spec": {
                    "storage": {"claim": "none"},
                    "checkpoint": {"everySteps": 4},
                    "script": {"volumePath": "program.py"},
                    **given.pop("spec", {}),
                },
            }
            file = self.folder / f"{name}.yaml"
            file.write_text(yaml.safe_dump(job))
            options, tail = (str(file), *options), ["--", json.dumps(given)]
        return [KUBEFIT, "run", *options, "--name", name, *tail]

    def run(self, name: str, given: Any, *options: str, **how: Any) -> "Done":
        done = subprocess.run(
            self.command(name, given, *options),
            cwd=self.folder,
            capture_output=True,
            text=True,
            **how,
        )
        return Done(self.runs / name, done.returncode, done.stderr)

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def checkpoints(self, name: str) -> Path:
        return self.runs / name / "checkpoints"

    def copy(self, name: str) -> Path:
        """A run of that name in the state of the one that was killed; its checkpoints."""
        shutil.copytree(self.runs / "killed", self.runs / name)
        return self.checkpoints(name)


@dataclass(frozen=True, slots=True)
class Done:
    """How a run ended."""

    folder: Path
    code: int
    errors: str

    @property
    def said(self) -> str:
        """All that the command and the chief have said."""
        logs = sorted((self.folder / "logs").glob("attempt-*/worker-0.log"))
        return self.errors + "".join(log.read_text() for log in logs)

    @property
    def result(self) -> dict[str, Any]:
        assert self.code == 0, self.said
        logs = (log.read_text() for log in self.folder.glob("logs/attempt-*/worker-0.log"))
        (line,) = [x for log in logs for x in log.splitlines() if x.startswith("RESULT ")]
        return json.loads(line.removeprefix("RESULT "))
