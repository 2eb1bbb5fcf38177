"""Programs that KubeFit keeps no state of are told so; what they keep themselves works."""

import re
from pathlib import Path

import pytest
from lives import live
from workers import REPOSITORY

from kubefit.api.v1alpha1 import Runtime

pytestmark = pytest.mark.train

DIES = """
import os, pathlib, signal

def die_once():
    mark = pathlib.Path("died")
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
"""
KERAS_2 = (
    DIES
    + """
import json, tf_keras
import numpy as np

class Dies(tf_keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            die_once()

tf_keras.utils.set_random_seed(3)
x = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
model = tf_keras.Sequential([tf_keras.Input((4,)), tf_keras.layers.Dense(1)])
model.compile("adam", "mse")
backup = tf_keras.callbacks.BackupAndRestore(os.environ["KUBEFIT_JOB_DIR"] + "/backup")
history = model.fit(
    x, x[:, :1], batch_size=4, epochs=4, shuffle=False, verbose=0, callbacks=[backup, Dies()]
)
weights = [w.tolist() for w in model.get_weights()]
print("RESULT", json.dumps({"epochs": history.epoch, "weights": weights}))
"""
)


def test_a_keras_2_program_goes_on_at_its_epoch_by_backup_and_restore(
    start_workers, tmp_path: Path
) -> None:
    ended = {}
    for name in ("undisturbed", "killed"):
        (tmp_path / name).mkdir()
        if name == "undisturbed":
            (tmp_path / name / "died").touch()
        ended[name] = live(start_workers, tmp_path / name, KERAS_2, runtime=Runtime.TF_KERAS)
    assert ended["undisturbed"].result["epochs"] == [0, 1, 2, 3]
    assert "begins anew" not in ended["undisturbed"].said
    assert ended["killed"].result["epochs"] == [2, 3]
    assert ended["killed"].result["weights"] == ended["undisturbed"].result["weights"]
    assert ended["killed"].said.count("BackupAndRestore") == 1


def documented_loop() -> str:
    page = (REPOSITORY / "docs" / "how-to" / "survive-failures.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", page, re.S)
    return program


def test_the_loop_of_the_documentation_goes_on_where_it_saved(
    start_workers, tmp_path: Path
) -> None:
    told = """
import hashlib, json
weights = b"".join(w.tobytes() for w in model.get_weights())
print("RESULT", json.dumps(hashlib.sha256(weights).hexdigest()))
"""
    program = documented_loop()
    last = "        model.train_on_batch("
    assert last in program
    killed = program.replace(
        last, f"        if epoch == 3 and first == 24:\n            die_once()\n{last}"
    )
    ended = {}
    for name, source in (("undisturbed", program), ("killed", DIES + killed)):
        (tmp_path / name).mkdir()
        ended[name] = live(start_workers, tmp_path / name, source + told)
    assert ended["killed"].lives == 2
    assert ended["killed"].result == ended["undisturbed"].result
    assert "train_on_batch has to save" in ended["killed"].said
