"""The client for notebooks and scripts, on this machine and on a cluster, without TensorFlow."""

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import kubefit
from kubefit import (
    ClientError,
    InvalidJobError,
    JobFailedError,
    JobNotFoundError,
    JobOverError,
    TrainingClient,
    WaitTimeoutError,
)
from kubefit.api.contract import ExitCode, Result
from kubefit.api.names import Phase
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client import kubernetes, on_this_machine
from kubefit.client.local_record import LocalRecord

KUBECONFIG_OF_CLIENT = "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION"
"""Read from the environment once, when the client of Kubernetes is imported."""
SPEC = {"workers": 2, "storage": {"claim": "data"}, "script": {"path": "missing.py"}}
JOB = {"metadata": {"name": "digits", "labels": {"team": "vision"}}, "spec": SPEC}


@pytest.fixture
def here(tmp_path: Path):
    with TrainingClient("local", runs_dir=tmp_path / "runs", volume=tmp_path) as client:
        yield client


@pytest.fixture
def there(stored) -> TrainingClient:
    return TrainingClient(kubeconfig=stored.kubeconfig)


def test_importing_the_client_imports_nothing_heavy():
    program = (
        "import sys; from kubefit import TrainingClient, JobFailedError;"
        "print([m for m in ('tensorflow', 'keras', 'numpy', 'kopf', 'kubernetes', 'typer')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_everything_that_is_promised_can_be_imported():
    assert all(getattr(kubefit, name) for name in kubefit.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Trainer'"):
        _ = kubefit.Trainer


def test_a_local_job_that_fails_tells_its_first_cause(here: TrainingClient):
    assert here.submit(JOB) == "digits"
    with pytest.raises(JobFailedError, match=r"digits failed: spec\.script\.path: .*missing\.py"):
        here.wait("digits")
    status = here.status("digits")
    assert status.phase is Phase.FAILED
    assert status.failure is not None
    assert status.failure.exit_code == ExitCode.CONFIGURATION_ERROR
    assert any("missing.py" in line for rank, line in here.logs("digits", rank=1) if rank == 1)
    assert here.metrics("digits") == []


def test_what_is_known_of_local_jobs_outlives_the_client(here: TrainingClient, tmp_path: Path):
    here.submit(TrainingJob.model_validate(JOB))
    with pytest.raises(JobFailedError):
        here.wait("digits")
    later = TrainingClient("local", runs_dir=tmp_path / "runs")
    assert later.status("digits").phase is Phase.FAILED
    assert [job.metadata.name for job in later.list({"team": "vision"})] == ["digits"]
    assert later.list({"team": "sound"}) == []
    with pytest.raises(JobOverError, match="job digits is over"):
        later.submit(JOB)
    later.delete("digits")
    assert later.list() == []
    assert (tmp_path / "runs/digits/result.json").exists()
    with pytest.raises(JobNotFoundError, match="there is no job digits"):
        later.status("digits")


def test_closing_ends_the_workers_and_the_job_can_be_submitted_again(tmp_path: Path):
    document = {"metadata": {"name": "long"}, "spec": {**SPEC, "script": {"inline": "print(1)"}}}
    with TrainingClient("local", runs_dir=tmp_path / "runs") as client:
        client.submit(document)
        with pytest.raises(WaitTimeoutError, match="long has not ended after 0 s: it is Starting"):
            client.wait("long", timeout=0)
        with pytest.raises(JobOverError, match="runs already"):
            TrainingClient("local", runs_dir=tmp_path / "runs").submit(document)
    status = client.status("long")
    assert status.failure is not None
    assert "interrupted" in status.failure.message
    client.submit(document)
    assert client.status("long").phase is Phase.STARTING
    client.close()


def test_a_job_that_others_look_at_is_not_taken_for_one_that_runs(
    here: TrainingClient, tmp_path: Path
):
    here.submit(JOB)
    with pytest.raises(JobFailedError):
        here.wait("digits")
    with (tmp_path / "runs/digits/job.lock").open("w") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert here.status("digits").phase is Phase.FAILED


def test_a_job_that_ends_just_before_it_is_submitted_again_keeps_its_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    record = LocalRecord(tmp_path / "runs/digits")
    lock = LocalRecord.lock

    def end_and_lock(self: LocalRecord):
        """Another process was faster, from beginning to end."""
        record.write(TrainingJob.model_validate(JOB), first_attempt=1)
        result = Result(phase=Phase.SUCCEEDED, run="other", attempts=1, seconds=1.0)
        (record.folder / "result.json").write_text(result.model_dump_json(by_alias=True))
        return lock(self)

    monkeypatch.setattr(LocalRecord, "lock", end_and_lock)
    with TrainingClient("local", runs_dir=tmp_path / "runs") as client:
        with pytest.raises(JobOverError, match="digits is over"):
            client.submit(JOB)
        assert client.status("digits").phase is Phase.SUCCEEDED


def test_a_job_of_another_process_is_neither_deleted_nor_suspended(
    here: TrainingClient, tmp_path: Path
):
    record = LocalRecord(tmp_path / "runs/digits")
    lock = record.lock()
    assert lock is not None
    with lock:
        record.write(TrainingJob.model_validate(JOB), first_attempt=1)
        with pytest.raises(ClientError, match="another process runs it"):
            here.delete("digits")
        with pytest.raises(ClientError, match="another process runs it"):
            here.backend.note("digits", {}, suspend=True)
    here.delete("digits")
    assert here.list() == []


@pytest.mark.parametrize("resume", [True, False])
def test_a_local_job_goes_on_from_its_own_checkpoints_and_from_others_only_if_it_may(
    here: TrainingClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resume: bool
):
    seen: list[tuple[bool, bool]] = []
    kept = tmp_path / "runs/digits/checkpoints"

    def run(job: TrainingJob, **_: object) -> None:
        seen.append((kept.exists(), job.spec.checkpoint.resume))
        kept.mkdir(exist_ok=True)

    monkeypatch.setattr(on_this_machine, "run_local", run)
    kept.mkdir(parents=True)
    document = {**JOB, "spec": {**SPEC, "checkpoint": {"resume": resume}}}
    for _ in range(2):
        here.submit(document)
        with pytest.raises(JobFailedError, match="interrupted"):
            here.wait("digits")
    assert seen == [(resume, True), (True, True)]


def test_a_run_that_breaks_off_is_told_and_does_not_run_again(
    here: TrainingClient, monkeypatch: pytest.MonkeyPatch
):
    def run(job: TrainingJob, **_: object) -> None:
        raise KeyError("rank")

    monkeypatch.setattr(on_this_machine, "run_local", run)
    here.submit(JOB)
    with pytest.raises(JobFailedError, match="the run broke off: KeyError: 'rank'"):
        here.wait("digits")
    assert not here.backend.resumable(here.job("digits"))


def test_jobs_end_with_the_interpreter_that_started_them(tmp_path: Path):
    program = f"""
from kubefit import TrainingClient
client = TrainingClient("local", runs_dir={str(tmp_path / "runs")!r})
script = {{"inline": "import time; time.sleep(1000)"}}
client.submit({{"metadata": {{"name": "left"}}, "spec": {{**{SPEC!r}, "script": script}}}})
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    status = TrainingClient("local", runs_dir=tmp_path / "runs").status("left")
    assert status.failure is not None
    assert status.failure.exit_code == ExitCode.PREEMPTED


def test_volumes_that_this_machine_lacks_are_told_before_anything_starts(here: TrainingClient):
    volumes = [{"name": "more", "mountPath": "/data/more", "claim": "more"}]
    with pytest.raises(ClientError, match=r"spec\.volumes\[0\]\.mountPath: there is no /data/more"):
        here.submit({**JOB, "spec": {**SPEC, "volumes": volumes}})
    assert here.list() == []


@pytest.mark.parametrize("place", ["here", "there"])
def test_a_job_that_is_none_is_refused_with_the_path_of_its_fields(
    place: str, request: pytest.FixtureRequest, tmp_path: Path
):
    client: TrainingClient = request.getfixturevalue(place)
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump({**JOB, "spec": {**SPEC, "workers": 0, "wrkers": 2}}))
    for given in (file, str(file), yaml.safe_load(file.read_text())):
        with pytest.raises(InvalidJobError) as refused:
            client.submit(given)
        assert len(refused.value.sentences) == 2
        assert "spec.workers: 0 is less than 1" in str(refused.value)
        assert "spec.wrkers: unknown field" in str(refused.value)


def test_a_pod_whose_kubeconfig_is_wrong_does_not_act_as_its_service_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    place = tmp_path / "namespace"
    place.write_text("notebooks")
    monkeypatch.setattr(kubernetes, "_POD_NAMESPACE", place)
    monkeypatch.setattr(KUBECONFIG_OF_CLIENT, str(tmp_path / "missing"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "missing"))
    with pytest.raises(ClientError, match="the kubeconfig cannot be used: "):
        TrainingClient()


def test_a_backend_that_is_none_is_refused():
    with pytest.raises(ClientError, match="'docker' is neither 'kubernetes' nor 'local'"):
        TrainingClient("docker")  # type: ignore[arg-type]


def test_a_job_goes_to_a_cluster_is_waited_for_read_and_deleted(stored, there: TrainingClient):
    assert there.submit(JOB) == "digits"
    assert stored.jobs["digits"]["spec"] == SPEC
    with pytest.raises(WaitTimeoutError, match="it is Pending"):
        there.wait("digits", timeout=0)
    stored.end("digits", "Running", progress={"epoch": 2, "epochs": 3, "loss": 0.5})
    progress = there.progress("digits")
    assert progress is not None
    assert (progress.epoch, progress.loss) == (2, 0.5)
    stored.logs["digits"] = "epoch=1/3 loss=0.7\nepoch=2/3 loss=0.5\n"
    assert there.metrics("digits") == [{"epoch": 1, "loss": 0.7}, {"epoch": 2, "loss": 0.5}]
    assert list(there.logs("digits", rank=0))[-1] == (0, "epoch=2/3 loss=0.5")
    stored.end("digits", "Succeeded", evaluation={"accuracy": 0.9})
    assert there.wait("digits").status.evaluation == {"accuracy": 0.9}
    with pytest.raises(JobOverError, match="is over"):
        there.submit(JOB)
    assert [job.metadata.name for job in there.list({"team": "vision"})] == ["digits"]
    there.delete("digits")
    with pytest.raises(JobNotFoundError, match="no TrainingJob digits in namespace team"):
        there.status("digits")


def test_a_job_without_output_has_no_lines_yet(stored, there: TrainingClient):
    there.submit(JOB)
    assert list(there.logs("digits")) == []
    assert there.metrics("digits") == []
    with pytest.raises(ClientError, match="digits has workers 0 to 1, not 2"):
        there.logs("digits", rank=2)


def test_a_job_that_failed_on_a_cluster_tells_its_first_cause(stored, there: TrainingClient):
    there.submit(JOB)
    failure = {"reason": "UserError", "message": "KeyError: 'x' (train.py:3)", "rank": 1}
    stored.end("digits", "Failed", failure=failure)
    with pytest.raises(JobFailedError, match=r"digits failed: KeyError: 'x' \(train\.py:3\)") as it:
        there.wait("digits")
    assert it.value.failure is not None
    assert it.value.failure.rank == 1


def test_a_job_of_another_namespace_needs_another_client(there: TrainingClient):
    metadata = {"name": "digits", "namespace": "others"}
    with pytest.raises(ClientError, match="others is not the namespace team"):
        there.submit({**JOB, "metadata": metadata})
