"""Programs on the runtime tf-keras, through the agents."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kubefit.api.contract import WorkerStatus
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.local import LocalResult, run_local

Ran = tuple[LocalResult, list[WorkerStatus], list[str]]


@pytest.fixture(scope="session")
def run_program() -> Callable[..., Ran]:
    """Runs a program on N workers: the result, what the chief reported, what the chief printed."""

    def run(program: Path, folder: Path, *, workers: int, args: list[str]) -> Ran:
        script = {"path": str(program), "runtime": "tf-keras", "args": args}
        spec = {
            "workers": workers,
            "storage": {"claim": "none"},
            "tensorboard": {"histograms": {"everyEpochs": 2}, "profile": {"steps": [2, 4]}},
            "script": script,
        }
        job = TrainingJob.model_validate({"metadata": {"name": "keras-2"}, "spec": spec})
        statuses: list[WorkerStatus] = []
        lines: list[str] = []
        result = run_local(
            job,
            volume_dir=folder,
            runs_dir=folder / "runs",
            on_status=lambda all_workers: statuses.extend(s for s in all_workers if s.rank == 0),
            on_line=lambda rank, line: lines.append(line) if rank == 0 else None,
        )
        return result, statuses, lines

    return run
