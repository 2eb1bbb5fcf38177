"""The reproductions for upstream show on stock Keras what their descriptions say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.train
REPRODUCTIONS = Path(__file__).parents[3] / "docs" / "upstream" / "reproductions"


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("clipping", ["norm of the step: 2.0"]),
        (
            "accumulation",
            [
                "{'gradient_accumulation_steps': 2} RuntimeError",
                "{'use_ema': True, 'ema_overwrite_frequency': 2} RuntimeError",
            ],
        ),
        ("steps_per_execution", ["Error "]),
        (
            "losses",
            [
                "mean over rows, expected 0.8: 0.8",
                "a scalar, expected 0.8: 0.6",
                "three rows at the end, expected 0.48: 0.4\n",
            ],
        ),
        ("batch_norm", ["by replica: [0.0, 1.0]", "in the weights: 0.0"]),
    ],
)
def test_on_two_replicas_of_one_process(name, seen):
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, str(REPRODUCTIONS / f"{name}.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    for words in seen:
        assert words in done.stdout, done.stdout + done.stderr[-2000:]
    assert "trained" not in done.stdout


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("fit_crashes", ["Error"]),
        ("reduce_per_replica", ["mean ValueError", "sum TypeError"]),
    ],
)
def test_on_two_workers(plain_group, name, seen):
    for output in plain_group(REPRODUCTIONS / f"{name}.py"):
        for words in seen:
            assert words in output


def test_dropout_masks_are_the_same_on_two_workers(plain_group):
    first, second = (
        [line.split("[")[1] for line in output.splitlines() if line.startswith("worker")]
        for output in plain_group(REPRODUCTIONS / "dropout.py")
    )
    assert first == second != []


def test_shuffled_rows_are_seen_twice_or_never_on_two_workers(plain_group):
    seen = []
    for output in plain_group(REPRODUCTIONS / "shuffled_arrays.py"):
        lines = [line for line in output.splitlines() if line.startswith("worker")]
        seen += [int(row) for row in lines[0].split("[")[1].rstrip("]").split(",")]
    assert len(seen) == 16
    assert len(set(seen)) < 16
