"""Jobs whose pods, node, network and processes fail in turn, while no operator is there.

Each fault comes when the group of trainers after the one before has done some steps. The jobs end
with the weights of one that nothing happened to, to the last bit.
"""

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from pod_faults import AGENT, EPOCHS, TRAINER, Job

from kubefit.api.names import VOLUME_DIR

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

NAMESPACE = "survival"
CLAIM = "training"
SYSTEM = "kubefit-system"
OPERATOR = "app.kubernetes.io/component=operator"


@pytest.fixture(scope="module")
def namespace(cluster, operator, open_desk) -> Iterator[str]:
    """A namespace with a claim, and a pod `desk` that has it."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.claim(NAMESPACE, CLAIM, "1Gi")
    open_desk(NAMESPACE, {CLAIM: VOLUME_DIR})
    yield NAMESPACE
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=true")


@dataclass(frozen=True)
class Storm:
    """Jobs to which much has happened, and one to which nothing has, after their ends."""

    jobs: dict[str, Job]
    undisturbed: Job
    back: dict[str, dict[str, Any]]
    """Status of each when the operator was back and they still trained."""


@contextmanager
def no_operator(cluster) -> Iterator[None]:
    """Nobody watches jobs within."""
    system = ("-n", SYSTEM)
    try:
        cluster.kubectl(*system, "scale", "deployment/kubefit", "--replicas=0")
        cluster.kubectl(*system, "wait", "--for=delete", "pod", "-l", OPERATOR, "--timeout=120s")
        yield
    finally:
        cluster.kubectl(*system, "scale", "deployment/kubefit", "--replicas=1")
        cluster.kubectl(*system, "rollout", "status", "deployment/kubefit", "--timeout=300s")


def _suffer(job: Job, faults: Sequence[Callable[[], None]]) -> None:
    attempt = 0
    for fault in faults:
        attempt = job.await_training(attempt)
        fault()
    job.await_training(attempt)


@pytest.fixture(scope="module")
def storm(cluster, namespace, open_node, eventually) -> Storm:
    """Faults of several jobs, one after the other in each."""
    undisturbed, deleted, drained, killed = (
        Job(cluster, eventually, NAMESPACE, CLAIM, name)
        for name in ("undisturbed", "deleted", "drained", "killed")
    )
    node = open_node(NAMESPACE)
    # Every pod that a job loses doubles the time that Kubernetes waits before it replaces the next.
    faults: dict[Job, list[Callable[[], None]]] = {
        deleted: [
            lambda: deleted.delete(1, "--grace-period=0", "--force"),
            lambda: deleted.freeze(1),
            lambda: deleted.delete(1),
        ],
        drained: [
            lambda: drained.delete(0),
            lambda: drained.cut_off(1, node),
            drained.drain_node,
        ],
        killed: [
            lambda: killed.evict(1),
            lambda: killed.send(0, signal.SIGKILL, AGENT),
            lambda: killed.send(1, signal.SIGKILL, TRAINER),
        ],
    }
    for job in (*faults, undisturbed):
        job.submit()
    undisturbed.hurry()
    for job in faults:
        eventually(lambda job=job: job.phase() == "Running", 300)
    with no_operator(cluster), ThreadPoolExecutor() as threads:
        for done in [threads.submit(_suffer, job, planned) for job, planned in faults.items()]:
            done.result()
    back = {
        job.name: eventually(lambda job=job: job.phase() == "Running" and job.status(), 60)
        for job in faults
    }
    for job in faults:
        job.hurry()
    for job in (*faults, undisturbed):
        eventually(lambda job=job: job.phase() in ("Succeeded", "Failed"), 300)
    return Storm({job.name: job for job in faults}, undisturbed, back)


each = pytest.mark.parametrize("name", ["deleted", "drained", "killed"])


@each
def test_every_worker_ends_like_one_that_nothing_happened_to(storm, name) -> None:
    expected = storm.undisturbed.end(0)
    assert len(expected["epochs"]) == EPOCHS
    assert storm.undisturbed.end(1) == expected
    assert [storm.jobs[name].end(rank) for rank in (0, 1)] == [expected, expected]


@each
def test_no_worker_takes_a_step_after_a_later_group_has(storm, name) -> None:
    attempts = [attempt for attempt, _, _ in storm.jobs[name].steps()]
    assert attempts == sorted(attempts)


@each
def test_one_attempt_ended_for_each_fault_and_only_a_crash_is_charged(storm, name) -> None:
    ended = [attempt for attempt in storm.jobs[name].attempts() if attempt["cause"]]
    crash = name == "killed"
    assert [attempt["charged"] for attempt in ended] == [False, False, crash], ended
    reasons = {attempt["cause"]["reason"] for attempt in ended}
    assert reasons <= {"Preempted", "PeerLost", *(["Crashed"] if crash else [])}


def test_an_operator_that_was_away_tells_restarts_and_the_last_failure(storm) -> None:
    # One container was killed, and one trainer.
    status = storm.back["killed"]
    assert status["restarts"] == 2
    assert status["failure"]["reason"] == "Crashed"
    assert "SIGKILL" in status["failure"]["message"]


@each
def test_the_job_is_completed_once(cluster, storm, name) -> None:
    status = storm.jobs[name].status()
    assert status["phase"] == "Succeeded"
    assert "failure" not in status
    conditions = {c["type"]: c["status"] for c in status["conditions"]}
    assert conditions["Complete"] == "True"
    done = cluster.get("job", name, namespace=NAMESPACE)["status"]
    assert done["completedIndexes"] == "0,1"
    events = cluster.get("events", namespace=NAMESPACE)["items"]
    told = [event["involvedObject"]["name"] for event in events if event["reason"] == "Succeeded"]
    assert told.count(name) == 1
