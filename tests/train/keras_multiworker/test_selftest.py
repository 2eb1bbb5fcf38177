"""The self-test that images run when they are built: it passes, and finds broken repairs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.train
PACKAGE = Path(__file__).parents[3] / "trainer" / "kubefit_trainer"
COMMAND = [sys.executable, "-m", "kubefit_trainer.keras_multiworker.selftest"]


def run(path: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "2"}
    return subprocess.run(COMMAND, env=environment, capture_output=True, text=True, timeout=600)


def test_two_workers_train_like_one():
    done = run(str(PACKAGE.parent))
    assert done.returncode == 0, done.stderr
    assert "two workers train like one" in done.stdout


@pytest.mark.parametrize(
    ("file", "sound", "broken"),
    [
        ("optimizer.py", "reduced = exchange.plain_sum(present)", "reduced = list(present)"),
        (
            "sources.py",
            "rows = batch[tf.minimum(replica, total - 1)",
            "rows = batch[tf.minimum(0, 0)",
        ),
    ],
    ids=["no exchange of gradients", "the same rows on all workers"],
)
def test_a_broken_repair_is_found(tmp_path, file, sound, broken):
    copy = tmp_path / "kubefit_trainer"
    shutil.copytree(PACKAGE / "keras_multiworker", copy / "keras_multiworker")
    (copy / "__init__.py").touch()
    source = (copy / "keras_multiworker" / file).read_text()
    assert sound in source
    (copy / "keras_multiworker" / file).write_text(source.replace(sound, broken))
    done = run(str(tmp_path))
    assert done.returncode == 1, done.stdout
    assert "self-test of Keras on two workers failed: worker" in done.stderr
