"""Processes of a local job that are hit while it runs, and what it ends with all the same."""

import contextlib
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from shades import STATEFUL, recipe

from kubefit.api.contract import TrainerPhase, WorkerStatus
from kubefit.api.names import Env, Phase
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.local import LocalResult, run_local

AGENT = "kubefit_trainer.agent"
TRAINER = "kubefit_trainer.main", "kubefit_trainer.standby"
"""Modules that a trainer may have been started as."""
_FORKED = "kubefit-trainer"

Statuses = list[WorkerStatus]
When = Callable[[Statuses], bool]


@dataclass
class Faults:
    """Faults in their order, each as soon as its time has come; looks at every status.

    A fault that finds its process gone raises `LookupError` and comes again.
    """

    planned: list[tuple[When, Callable[[], None]]]
    happened: int = 0

    def __call__(self, statuses: Statuses) -> None:
        if not self.planned or not self.planned[0][0](statuses):
            return
        with contextlib.suppress(LookupError):
            self.planned[0][1]()
            self.planned.pop(0)
            self.happened += 1


def at_step(step: int) -> When:
    """When some worker has done so many steps of training."""
    return lambda statuses: steps_done(statuses) >= step


def in_phase(phase: TrainerPhase) -> When:
    """When some worker is in that phase."""
    return lambda statuses: any(s.report and s.report.phase is phase for s in statuses)


def steps_done(statuses: Statuses) -> int:
    """Steps of the worker that has come farthest in training; 0 if none trains."""
    reports = [status.report for status in statuses if status.report]
    return max((r.step for r in reports if r.phase is TrainerPhase.TRAINING), default=0)


def hit(module: str | tuple[str, ...], rank: int, number: int, *, job: str) -> Callable[[], None]:
    """Sends a signal to the agent or the trainer of that rank."""
    return lambda: os.kill(process(module, rank, job), number)


def process(module: str | tuple[str, ...], rank: int, job: str) -> int:
    """Process id of the agent or the trainer of that rank.

    Raises:
        LookupError: there is none.

    """
    modules = (module,) if isinstance(module, str) else module
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_text().split("\0")
            given = (entry / "environ").read_text().split("\0")
            variables = dict(one.split("=", 1) for one in given if "=" in one)
            if not set(modules) & set(command) or variables[Env.RANK] != str(rank):
                continue
            if TRAINER[1] in command and (entry / "comm").read_text().strip() != _FORKED:
                # The one that stands by.
                continue
            if json.loads(Path(variables[Env.RUN_CONFIG]).read_text())["name"] == job:
                return int(entry.name)
        except (OSError, KeyError, ValueError):
            # Another program, or one that has just ended.
            continue
    raise LookupError(f"no process {module} of rank {rank}")


def train(
    volume: Path,
    name: str,
    on_status: Callable[[Statuses], None] = lambda statuses: None,
    *,
    workers: int,
    blocks: Sequence[dict[str, Any]] = STATEFUL,
    tested_on: str | None = None,
    other: dict[str, Any] | None = None,
    **policy: Any,
) -> LocalResult:
    """Runs the small training on the pictures of the volume, to its success.

    At its end it is evaluated on those of the folder `tested_on`, or on what validation has. Or it
    is that of the `other` recipe.
    """
    described = recipe(blocks) if other is None else other
    if tested_on:
        described["data"]["test"] = {"folder": tested_on}
    spec = {
        "workers": workers,
        "storage": {"claim": "none"},
        "checkpoint": {"everySteps": 20, "memoryEverySteps": 3},
        "runPolicy": policy,
        "recipe": described,
    }
    job = TrainingJob.model_validate({"metadata": {"name": name}, "spec": spec})
    result = run_local(job, volume_dir=volume, runs_dir=volume / "runs", on_status=on_status)
    assert result.phase is Phase.SUCCEEDED, result.failure
    return result


def weights_of(job_dir: Path) -> str:
    """SHA-256 of all arrays of the exported model."""
    digest = hashlib.sha256()
    for name, array in arrays_of(job_dir).items():
        digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()


def arrays_of(job_dir: Path) -> dict[str, np.ndarray]:
    """All arrays of the exported model."""
    with zipfile.ZipFile(job_dir / "export" / "model.keras") as archive:
        weights = h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r")
    found: dict[str, np.ndarray] = {}

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = np.asarray(item)

    weights.visititems(add)
    return found


def epochs_of(job_dir: Path) -> list[str]:
    """What the chief has printed of every epoch but its times, over all attempts."""
    logs = sorted((job_dir / "logs").glob("attempt-*/worker-0.log"))
    lines = [line for log in logs for line in log.read_text().splitlines()]
    return [line.partition(" seconds=")[0] for line in lines if line.startswith("epoch=")]
