"""A job whose processes are killed ends as if nothing had happened, to the last bit."""

import hashlib
import io
import json
import os
import signal
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from shades import EPOCHS, recipe, write_images

from kubefit.api.contract import TrainerPhase, WorkerStatus
from kubefit.api.names import Env, Phase
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.local import LocalResult, run_local

pytestmark = pytest.mark.train

AGENT, TRAINER = "kubefit_trainer.agent", "kubefit_trainer.main"


@dataclass
class Faults:
    """Processes to be hit, each when the job has come so far; looks at every status."""

    planned: list[tuple[int, Callable[[], None]]]
    happened: list[int] = field(default_factory=list)

    def __call__(self, statuses: list[WorkerStatus]) -> None:
        steps = [
            status.report.step
            for status in statuses
            if status.report and status.report.phase is TrainerPhase.TRAINING
        ]
        if self.planned and steps and max(steps) >= self.planned[0][0]:
            _, fault = self.planned.pop(0)
            fault()
            self.happened.append(max(steps))


def hit(module: str, rank: int, number: int, *, job: str) -> Callable[[], None]:
    """Sends a signal to the agent or the trainer of that rank."""

    def send() -> None:
        os.kill(process(module, rank, job), number)

    return send


def process(module: str, rank: int, job: str) -> int:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_text().split("\0")
            given = (entry / "environ").read_text().split("\0")
        except OSError:
            continue
        variables = dict(one.split("=", 1) for one in given if "=" in one)
        file = variables.get(Env.RUN_CONFIG)
        if module not in command or variables.get(Env.RANK) != str(rank) or file is None:
            continue
        if Path(file).exists() and json.loads(Path(file).read_text())["name"] == job:
            return int(entry.name)
    raise AssertionError(f"no process {module} of rank {rank}")


def train(volume: Path, name: str, faults: Callable[[list[WorkerStatus]], None]) -> LocalResult:
    spec = {
        "workers": 2,
        "storage": {"claim": "none"},
        "checkpoint": {"everySteps": 20, "memoryEverySteps": 3},
        "runPolicy": {"maxRestarts": 10},
        "recipe": recipe(),
    }
    job = TrainingJob.model_validate({"metadata": {"name": name}, "spec": spec})
    result = run_local(job, volume_dir=volume, runs_dir=volume / "runs", on_status=faults)
    assert result.phase is Phase.SUCCEEDED, result.failure
    return result


def weights_of(result: LocalResult) -> str:
    """SHA-256 of all arrays of the exported model."""
    digest = hashlib.sha256()
    with zipfile.ZipFile(result.job_dir / "export" / "model.keras") as archive:
        weights = h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r")

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            digest.update(name.encode() + np.asarray(item).tobytes())

    weights.visititems(add)
    return digest.hexdigest()


def epochs_of(result: LocalResult) -> list[str]:
    """What the chief has printed of every epoch but its times, over all attempts."""
    logs = sorted((result.job_dir / "logs").glob("attempt-*/worker-0.log"))
    lines = [line for log in logs for line in log.read_text().splitlines()]
    return [line.partition(" seconds=")[0] for line in lines if line.startswith("epoch=")]


@pytest.fixture(scope="module")
def volume(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("volume")
    write_images(made / "train")
    return made


@pytest.fixture(scope="module")
def undisturbed(volume: Path) -> LocalResult:
    return train(volume, "undisturbed", lambda statuses: None)


@pytest.fixture(scope="module")
def disturbed(volume: Path) -> tuple[LocalResult, Faults]:
    job = "disturbed"
    faults = Faults(
        [
            (30, hit(TRAINER, 1, signal.SIGKILL, job=job)),
            (80, hit(TRAINER, 0, signal.SIGKILL, job=job)),
            (130, hit(AGENT, 1, signal.SIGKILL, job=job)),
            (180, hit(AGENT, 1, signal.SIGTERM, job=job)),
            (230, hit(AGENT, 0, signal.SIGKILL, job=job)),
        ]
    )
    return train(volume, job, faults), faults


def test_every_fault_has_happened_and_was_followed_by_another_attempt(disturbed) -> None:
    result, faults = disturbed
    assert not faults.planned
    assert result.restarts >= len(faults.happened)


def test_the_weights_are_those_of_an_undisturbed_run_to_the_last_bit(
    undisturbed, disturbed
) -> None:
    assert weights_of(disturbed[0]) == weights_of(undisturbed)


def test_no_epoch_is_lost_and_each_has_the_numbers_of_an_undisturbed_run(
    undisturbed, disturbed
) -> None:
    expected = epochs_of(undisturbed)
    assert len(expected) == EPOCHS
    # An epoch whose end was not in a snapshot is done again, with the same numbers.
    assert list(dict.fromkeys(epochs_of(disturbed[0]))) == expected


def test_attempts_tell_what_ended_them(disturbed) -> None:
    told = json.loads((disturbed[0].job_dir / "attempts.json").read_text())["attempts"]
    reasons = [attempt["cause"]["reason"] for attempt in told if attempt["cause"]]
    assert reasons == ["Crashed", "Crashed", "PeerLost", "Preempted", "PeerLost"]
    assert [attempt["charged"] for attempt in told if attempt["cause"]] == [
        True,
        True,
        False,
        False,
        False,
    ]
    firsts = [attempt["firstStep"] for attempt in told]
    assert firsts == sorted(firsts)
    for attempt, first in zip(told, firsts[1:], strict=False):
        # At most one interval between two checkpoints is done again.
        assert first >= attempt["lastStep"] - 20
