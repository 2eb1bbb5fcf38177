"""The Keras 2 example, as its page says it is run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

pytestmark = pytest.mark.train
ROOT = Path(__file__).parents[3]


def test_the_example_trains_on_two_workers_by_the_command(tmp_path: Path) -> None:
    make_data = ROOT / "examples/01-digits/make_data.py"
    subprocess.run([sys.executable, make_data, tmp_path / "digits"], check=True)
    arguments = ["--runtime", "tf-keras", "--workers", "2", "--", "--data", "digits"]
    done = subprocess.run(
        [
            Path(sys.executable).with_name("kubefit"),
            "run",
            ROOT / "examples/03-keras-2/train.py",
            *arguments,
            *("--model", "digits.h5", "--epochs", "4"),
        ],
        cwd=tmp_path,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "train: script on tf-keras, 2 workers on this machine" in done.stderr
    assert "epoch 4/4  loss " in done.stderr
    result = json.loads((tmp_path / "runs/train/result.json").read_text())
    assert result["evaluation"]["accuracy"] > 0.8
    assert "test accuracy" in done.stdout
    with h5py.File(tmp_path / "digits.h5") as file:
        assert {"model_weights", "optimizer_weights"} <= set(file)
