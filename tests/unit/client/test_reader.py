"""The pod that reads logs on a volume, and the program in it, run here."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.reader import read_volume, reader_pod
from kubefit.client.refusals import ClusterError


def _job(**spec: Any) -> TrainingJob:
    base = {"storage": {"claim": "training"}, "script": {"inline": "print(1)"}}
    metadata = {"name": "digits", "namespace": "team", "uid": "0815"}
    return TrainingJob.model_validate({"metadata": metadata, "spec": base | spec})


WORKERS = {
    "securityContext": {"runAsUser": 1000},
    "nodeSelector": {"pool": "gpu"},
    "imagePullSecrets": [{"name": "registry"}],
    "initContainers": [{"name": "fetch"}],
    "containers": [{"name": "trainer", "image": "team/program:2", "imagePullPolicy": "Always"}],
}


def _pod(job: TrainingJob, workers: dict[str, Any] | None, **chosen: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"attempt": None, "rank": None, "image": None}
    return reader_pod(job, workers, **asked | chosen)


def test_it_reads_as_the_workers_wrote_and_can_write_nothing() -> None:
    pod = _pod(_job(), WORKERS)
    spec = pod["spec"]
    (container,) = spec["containers"]
    assert container["image"] == "team/program:2"
    assert spec["securityContext"] == {"runAsUser": 1000}
    assert (spec["nodeSelector"], spec["imagePullSecrets"]) == (
        {"pool": "gpu"},
        [{"name": "registry"}],
    )
    assert "initContainers" not in spec
    assert spec["automountServiceAccountToken"] is False
    # Else kubelets would give all files the group of `fsGroup`.
    claim = {"claimName": "training", "readOnly": True}
    assert spec["volumes"][0]["persistentVolumeClaim"] == claim
    assert [mount["readOnly"] for mount in container["volumeMounts"]] == [True]


def test_it_goes_with_the_job_and_is_found_but_not_among_its_workers() -> None:
    metadata = _pod(_job(), WORKERS)["metadata"]
    assert metadata["labels"] == {"kubefit.dev/role": "log-reader"}
    (owner,) = metadata["ownerReferences"]
    assert owner == {
        "apiVersion": "kubefit.dev/v1alpha1",
        "kind": "TrainingJob",
        "name": "digits",
        "uid": "0815",
    }


def test_of_a_suspended_job_it_runs_where_and_as_the_workers_would() -> None:
    trainer = {"name": "trainer", "securityContext": {"readOnlyRootFilesystem": False}}
    patch = {
        "securityContext": {"runAsUser": 1000, "fsGroup": 2000},
        "nodeSelector": {"pool": "gpu"},
        "containers": [trainer],
    }
    spec = _pod(_job(podTemplate={"spec": patch}, image="mine:1"), None)["spec"]
    assert spec["securityContext"]["runAsUser"] == 1000
    assert spec["securityContext"]["fsGroup"] == 2000
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["nodeSelector"] == {"pool": "gpu"}
    (container,) = spec["containers"]
    assert (container["name"], container["image"]) == ("reader", "mine:1")
    assert container["securityContext"]["readOnlyRootFilesystem"] is False
    assert container["securityContext"]["allowPrivilegeEscalation"] is False


def test_without_a_job_of_the_cluster_the_image_is_that_of_the_job_or_asked_for() -> None:
    assert _pod(_job(image="mine:1"), None)["spec"]["containers"][0]["image"] == "mine:1"
    asked = _pod(_job(), None, image="python:3")["spec"]
    assert asked["containers"][0]["image"] == "python:3"
    assert asked["securityContext"]["runAsNonRoot"] is True
    with pytest.raises(ClusterError, match="no Job whose image could read"):
        _pod(_job(), None)


def _read(folder: Path, **chosen: Any) -> "subprocess.CompletedProcess[str]":
    _, flag, program, _, *numbers = _pod(_job(), WORKERS, **chosen)["spec"]["containers"][0][
        "command"
    ]
    command = [sys.executable, flag, program, str(folder), *numbers]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    for attempt in (2, 10):
        for rank in (0, 1):
            file = tmp_path / f"attempt-{attempt}" / f"worker-{rank}.log"
            file.parent.mkdir(exist_ok=True)
            file.write_text(f"hello\nfrom {rank} in {attempt}\n")
    return tmp_path


def test_the_last_attempt_is_read_with_the_rank_before_each_line(logs: Path) -> None:
    assert _read(logs).stdout.splitlines() == [
        *("0 hello", "0 from 0 in 10"),
        *("1 hello", "1 from 1 in 10"),
        "end",
    ]
    assert _read(logs, attempt=2, rank=1).stdout == "1 hello\n1 from 1 in 2\nend\n"


def test_what_is_not_there_is_told_with_what_is(logs: Path) -> None:
    missing = _read(logs, attempt=3)
    assert missing.returncode != 0
    assert missing.stderr.strip().endswith("has no such log of attempt 3; attempts are [2, 10]")
    assert "has no logs" in _read(logs / "nowhere").stderr


def test_of_a_long_log_the_end_is_read_and_the_rest_told(logs: Path) -> None:
    long = logs / "attempt-10" / "worker-0.log"
    long.write_text("".join(f"line {number:020d}\n" for number in range(400_000)))
    lines = _read(logs, rank=0).stdout.splitlines()
    assert "what came before is left out" in lines[0]
    assert lines[-2:] == [f"0 line {399_999:020d}", "end"]
    assert sum(len(line) for line in lines) < 10 << 20


class _Cluster:
    """A cluster whose pod runs at once, and writes these lines."""

    namespace = "team"

    def __init__(self, *lines: str) -> None:
        self.lines = lines
        self.removed: list[str] = []

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return {"metadata": {"name": body["metadata"]["generateName"] + "x"}}

    def read(self, path: str) -> dict[str, Any]:
        if "/jobs/" in path:
            return {"spec": {"template": {"spec": WORKERS}}}
        return {"status": {"containerStatuses": [{"state": {"running": {}}}]}}

    def output(self, pod: str, container: str) -> Iterator[str]:
        yield from self.lines

    def remove(self, path: str, **query: str) -> None:
        self.removed.append(path)


def _lines(cluster: Any) -> Iterator[tuple[int, str]]:
    return read_volume(cluster, _job(), attempt=None, rank=None, image=None)


def test_what_python_warns_of_is_no_fault_of_a_log_that_was_read() -> None:
    cluster = _Cluster("python: a warning", "0 hello", "1 hello", "another one", "end")
    assert list(_lines(cluster)) == [(0, "hello"), (1, "hello")]
    assert cluster.removed == ["/api/v1/namespaces/team/pods/digits-logs-x"]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (("a warning", "/mnt has no logs"), "/mnt has no logs"),
        (("0 hello", "OSError: Input/output error"), "Input/output error"),
        (("0 hello",), "pod digits-logs-x ended before it had read all"),
    ],
)
def test_a_log_that_is_not_there_or_breaks_off_is_an_error(written, told) -> None:
    cluster = _Cluster(*written)
    with pytest.raises(ClusterError, match=told):
        list(_lines(cluster))
    assert cluster.removed
