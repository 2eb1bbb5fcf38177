"""Who may start a job: its queue, its user, and nobody else, as a real API server sees it."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

NAMESPACE = "scheduling-tests"
QUEUE = {"kueue.x-k8s.io/queue-name": "gpus"}


@pytest.fixture(scope="module")
def namespace(cluster, operator) -> Iterator[str]:
    cluster.kubectl("create", "namespace", NAMESPACE)
    yield NAMESPACE
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=true")


class Team:
    """A user who has jobs here, and Kueue, which sets `suspend` of their Jobs by hand."""

    def __init__(self, cluster: Any, eventually: Callable[..., Any]) -> None:
        self.cluster = cluster
        self.eventually = eventually

    def submit(self, name: str, *, labels: dict[str, str] | None = None, **spec: Any) -> None:
        self.cluster.apply(
            {
                "apiVersion": "kubefit.dev/v1alpha1",
                "kind": "TrainingJob",
                "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels or {}},
                "spec": {
                    "workers": 2,
                    "storage": {"create": {"size": "10Mi", "accessMode": "ReadWriteOnce"}},
                    "script": {"inline": "import time\ntime.sleep(3600)"},
                    **spec,
                },
            }
        )

    def suspend(self, name: str, suspend: bool) -> None:
        self.change("trainingjob", name, {"spec": {"runPolicy": {"suspend": suspend}}})

    def admit(self, name: str, admitted: bool) -> None:
        self.change("jobs.batch", name, {"spec": {"suspend": not admitted}})

    def change(self, kind: str, name: str, patch: dict[str, Any]) -> None:
        command = ("-n", NAMESPACE, "patch", kind, name, "--type=merge", "-p", json.dumps(patch))
        self.cluster.kubectl(*command)

    def job(self, name: str) -> dict[str, Any] | None:
        found = self.cluster.get("jobs.batch", namespace=NAMESPACE, selector=_of(name))["items"]
        return found[0] if found else None

    def pods(self, name: str) -> int:
        pods = self.cluster.get("pods", namespace=NAMESPACE, selector=_of(name))["items"]
        return sum("deletionTimestamp" not in pod["metadata"] for pod in pods)

    def becomes(self, name: str, phase: str) -> None:
        def status() -> Any:
            job = self.cluster.get("trainingjob", name, namespace=NAMESPACE)
            return job.get("status", {}).get("phase") == phase

        self.eventually(status, 120)

    def delete(self, name: str) -> None:
        self.cluster.kubectl("-n", NAMESPACE, "delete", "trainingjob", name)


def _of(name: str) -> str:
    return f"kubefit.dev/job={name}"


@pytest.fixture
def team(cluster, namespace, eventually) -> Team:
    return Team(cluster, eventually)


def test_a_queue_starts_a_job_and_sends_it_back_and_the_operator_lets_it(team) -> None:
    team.submit("queued", labels=QUEUE)
    team.becomes("queued", "Queued")
    made = team.job("queued")
    assert made["spec"]["suspend"] is True
    assert made["metadata"]["labels"].items() >= QUEUE.items()
    assert team.pods("queued") == 0
    team.change("trainingjob", "queued", {"spec": {"runPolicy": {"maxRestarts": 7}}})
    team.eventually(lambda: team.job("queued")["spec"]["backoffLimit"] == 7, 60)
    assert team.job("queued")["spec"]["suspend"] is True
    team.admit("queued", True)
    team.eventually(lambda: team.pods("queued") == 2, 60)
    team.change("trainingjob", "queued", {"spec": {"runPolicy": {"maxRestarts": 8}}})
    team.eventually(lambda: team.job("queued")["spec"]["backoffLimit"] == 8, 60)
    assert team.job("queued")["spec"]["suspend"] is False
    team.admit("queued", False)
    team.becomes("queued", "Queued")
    team.eventually(lambda: team.pods("queued") == 0, 60)
    assert team.job("queued")["metadata"]["uid"] == made["metadata"]["uid"]
    team.delete("queued")


def test_a_job_that_its_user_suspends_leaves_its_queue_and_comes_back_to_it(team) -> None:
    team.submit("held", labels=QUEUE)
    team.becomes("held", "Queued")
    team.admit("held", True)
    team.eventually(lambda: team.pods("held") == 2, 60)
    first = team.job("held")["metadata"]["uid"]
    team.suspend("held", True)
    team.becomes("held", "Suspended")
    team.eventually(lambda: team.job("held") is None and team.pods("held") == 0, 60)
    team.suspend("held", False)
    team.becomes("held", "Queued")
    assert team.job("held")["metadata"]["uid"] != first
    assert team.job("held")["spec"]["suspend"] is True
    team.delete("held")


def test_a_job_moves_to_another_queue_while_it_waits(team) -> None:
    team.submit("moved", labels=QUEUE)
    team.becomes("moved", "Queued")
    team.change("trainingjob", "moved", {"metadata": {"labels": dict.fromkeys(QUEUE, "cpus")}})
    label = next(iter(QUEUE))
    team.eventually(lambda: team.job("moved")["metadata"]["labels"][label] == "cpus", 60)
    team.delete("moved")


def test_workers_that_want_a_node_each_wait_for_one(cluster, team) -> None:
    nodes = len(cluster.get("nodes")["items"])
    team.submit("apart", workers=nodes + 1, scheduling={"onePerNode": True})

    def left_over() -> Any:
        pods = cluster.get("pods", namespace=NAMESPACE, selector=_of("apart"))["items"]
        waiting = [pod for pod in pods if "nodeName" not in pod["spec"]]
        if len(pods) != nodes + 1 or len(waiting) != 1:
            return None
        conditions = waiting[0].get("status", {}).get("conditions", ())
        return next((c for c in conditions if c.get("reason") == "Unschedulable"), None)

    assert "anti-affinity" in team.eventually(left_over, 120)["message"]
    team.delete("apart")
