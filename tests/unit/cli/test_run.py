"""`kubefit run` as a process: exit codes, what is printed, and that nothing outlives Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kubefit.client.local_record import LocalRecord

KUBEFIT = str(Path(sys.executable).with_name("kubefit"))
TRAINS = """
import sys
import keras
import numpy as np

x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
y = (x.sum(axis=1) > 0).astype("int32")
model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, batch_size=16, epochs=int(sys.argv[1]), verbose=0)
model.evaluate(x, y, verbose=0)
print("arguments were", sys.argv[1:])
"""
FAILS = """
def read_prices():
    raise KeyError("price")

read_prices()
"""

train = pytest.mark.train


def _run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "NO_COLOR": "1"}
    return subprocess.run(
        [KUBEFIT, "run", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


@train
def test_a_program_trains_on_two_workers_and_ends_with_figures_and_places(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAINS)
    done = _run(tmp_path, "train.py", "--workers", "2", "--", "3", "--fast")
    assert done.returncode == 0, done.stderr
    assert "arguments were ['3', '--fast']" in done.stderr
    assert "epoch 3/3  loss " in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stdout.startswith("train: succeeded in ")
    assert "test accuracy" in done.stdout
    assert "runs/train/result.json" in done.stdout
    result = json.loads((tmp_path / "runs/train/result.json").read_text())
    assert result["phase"] == "Succeeded"
    assert set(result["evaluation"]) == {"accuracy", "loss"}


@train
def test_a_program_that_fails_gives_its_cause_and_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "prices.py").write_text(FAILS)
    done = _run(tmp_path, "prices.py", "--name", "costs")
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert errors[0].startswith("error: costs failed: KeyError: 'price' (prices.py:3)")
    assert "worker-0 |     raise KeyError" in done.stderr
    assert "see runs/costs/logs/attempt-1/worker-0.log" in done.stderr


@pytest.fixture
def endless(tmp_path: Path) -> "Iterator[subprocess.Popen[str]]":
    (tmp_path / "train.py").write_text(TRAINS)
    with subprocess.Popen(
        [KUBEFIT, "run", "train.py", "--workers", "2", "--", "1000000"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background ignores SIGINT, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        yield process
        process.kill()


def _children_of(folder: Path) -> list[str]:
    """Command lines of the processes that work in a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and (entry / "cwd").readlink() == folder:
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
    return found


@train
def test_ctrl_c_ends_all_processes_with_exit_code_130(
    endless: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    assert endless.stderr is not None
    line = next(line for line in endless.stderr if line.startswith("epoch "))
    assert "/1000000" in line
    assert len(_children_of(tmp_path)) >= 5
    endless.send_signal(signal.SIGINT)
    rest = endless.stderr.read()
    assert endless.wait() == 130
    assert "error: interrupted: all workers have ended" in rest
    assert "Traceback (most recent call last)" not in rest
    _await(lambda: not _children_of(tmp_path), seconds=30)


def _await(condition: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.py"], "error: none.py: does not exist"),
        (["bad.py"], "error: bad.py: spec.script.path: bad.py: line 1: "),
        (["recipe.yaml", "--", "--epochs"], "error: recipe.yaml: arguments after -- go to a scri"),
        (
            ["recipe.yaml", "--runtime", "tf-keras"],
            "error: recipe.yaml: --runtime belongs to a script, but this job trains a recipe",
        ),
        (["bad.py", "--name", "Not_A_Name"], "error: bad.py: metadata.name: at most 51 characters"),
    ],
)
def test_a_file_that_cannot_be_used_gives_exit_code_2(
    arguments: list[str], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "bad.py").write_text("for\n")
    (tmp_path / "recipe.yaml").write_text(
        "kind: TrainingJob\nmetadata: {name: r}\nspec: {storage: {claim: c}, recipe: {}}\n"
    )
    done = _run(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(sentence)
    assert not (tmp_path / "runs").exists()


def test_a_folder_for_results_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("print(1)\n")
    (tmp_path / "runs").write_text("in the way")
    done = _run(tmp_path, "train.py")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"error: {tmp_path}/runs")
    assert "--runs-dir names another folder" in done.stderr


def test_a_job_that_runs_already_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("print(1)\n")
    with LocalRecord(tmp_path / "runs/train").hold():
        done = _run(tmp_path, "train.py")
        assert done.returncode == 2
        assert "error: job train runs already\nhint: wait for its end, or give" in done.stderr
        assert [path.name for path in (tmp_path / "runs/train").iterdir()] == ["job.lock"]


@train
def test_a_job_that_the_command_runs_is_left_alone_by_the_client(
    endless: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    assert endless.stderr is not None
    next(line for line in endless.stderr if line.startswith("epoch "))
    assert LocalRecord(tmp_path / "runs/train").locked


def test_a_wrong_option_gives_exit_code_2(tmp_path: Path) -> None:
    assert _run(tmp_path, "train.py", "--wrokers", "2").returncode == 2
    assert _run(tmp_path, "train.py", "--workers", "0").returncode == 2
