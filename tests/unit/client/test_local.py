"""Local runs as their callers see them, without TensorFlow."""

from pathlib import Path

from kubefit.api.contract import AgentPhase, ExitCode, WorkerStatus
from kubefit.api.names import Phase
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.local import run_local


def test_what_the_workers_said_last_is_the_last_status_however_quickly_they_ended(tmp_path: Path):
    spec = {"workers": 2, "storage": {"claim": "none"}, "script": {"path": "missing.py"}}
    job = TrainingJob.model_validate({"metadata": {"name": "ends-at-once"}, "spec": spec})
    statuses: list[list[WorkerStatus]] = []
    result = run_local(
        job, volume_dir=tmp_path, runs_dir=tmp_path / "runs", on_status=statuses.append
    )
    assert result.phase is Phase.FAILED
    assert [(status.rank, status.phase) for status in statuses[-1]] == [
        (0, AgentPhase.FAILED),
        (1, AgentPhase.FAILED),
    ]
    for status in statuses[-1]:
        assert status.failure is not None
        assert status.failure.exit_code in (ExitCode.CONFIGURATION_ERROR, ExitCode.USER_ERROR)
        assert "missing.py" in status.failure.message
