"""What a real kubelet, scheduler and node controller do to workers, and what the status says of it.

All happens to small jobs at the same time, in one fixture; each test reads what was told of one.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from kubefit.api.names import LABEL_JOB

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

NAMESPACE = "disruption-tests"
SEAT = "tests.kubefit.dev/seat"
PRIORITY = "kubefit-urgent"
LIMIT = "600Mi"
TAINT = "tests.kubefit.dev/closed"
"""The operator tolerates it."""
SLEEPS = "import time\ntime.sleep(3600)"
GREEDY = "kept = []\nwhile True:\n    kept.append(bytearray(b'x' * 2**24))"
SMALL = {"requests": {"cpu": "10m", "memory": "64Mi"}}
NO_SECRET = {
    "volumes": [{"name": "key", "secret": {"secretName": "not-there"}}],
    "containers": [{"name": "trainer", "volumeMounts": [{"name": "key", "mountPath": "/key"}]}],
}
"""A kubelet leaves out volumes that no container mounts."""


@dataclass(frozen=True)
class Team:
    """Jobs of one worker each."""

    cluster: Any
    eventually: Callable[..., Any]

    def submit(self, name: str, program: str = SLEEPS, **spec: Any) -> None:
        self.cluster.apply(
            {
                "apiVersion": "kubefit.dev/v1alpha1",
                "kind": "TrainingJob",
                "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": {
                    "storage": {"create": {"size": "10Mi", "accessMode": "ReadWriteOnce"}},
                    "resources": SMALL,
                    "runPolicy": {"maxRestarts": 0},
                    "script": {"inline": program},
                    "podTemplate": {"spec": {"terminationGracePeriodSeconds": 5}},
                    **spec,
                },
            }
        )

    def status(self, name: str) -> dict[str, Any]:
        return self.cluster.get("tj", name, namespace=NAMESPACE).get("status", {})

    def running(self, name: str) -> dict[str, Any]:
        """Its pod, once that runs."""
        return self._await(name, lambda: next(iter(self._pods(name, "Running")), None))

    def failure(self, name: str) -> dict[str, Any]:
        return self._await(name, lambda: self.status(name).get("failure"))

    def _pods(self, name: str, phase: str = "") -> list[dict[str, Any]]:
        found = self.cluster.get("pods", namespace=NAMESPACE, selector=f"{LABEL_JOB}={name}")
        return [pod for pod in found["items"] if phase in ("", pod["status"]["phase"])]

    def _await(self, name: str, read: Callable[[], Any]) -> Any:
        try:
            return self.eventually(read, 500)
        except AssertionError:
            stands = [pod["status"] for pod in self._pods(name)]
            raise AssertionError(f"{name}: {self.status(name)}, its pods: {stands}") from None


@pytest.fixture(scope="module")
def team(cluster, operator, eventually) -> Iterator[Team]:
    cluster.kubectl("create", "namespace", NAMESPACE)
    node = cluster.get("nodes")["items"][0]["metadata"]["name"]
    _give_seats(cluster, node, "1")
    priority = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 1000}
    cluster.apply({**priority, "metadata": {"name": PRIORITY}})
    yield Team(cluster, eventually)
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=true")
    cluster.kubectl("delete", "priorityclass", PRIORITY)
    _give_seats(cluster, node, None)


def _give_seats(cluster, node: str, count: str | None) -> None:
    patch = json.dumps({"status": {"capacity": {SEAT: count}, "allocatable": {SEAT: count}}})
    cluster.kubectl("patch", "node", node, "--subresource=status", "--type=merge", "-p", patch)


@pytest.fixture(scope="module")
def pods(cluster, team) -> dict[str, dict[str, Any]]:
    """The pods that jobs lose, each in its own way."""
    seated = {"resources": {**SMALL, "limits": {SEAT: 1}}}
    team.submit("greedy", GREEDY, resources={"limits": {"memory": LIMIT}})
    team.submit("unmounted", podTemplate={"spec": NO_SECRET})
    team.submit("closed")
    team.submit("preempted", **seated)
    pods = {name: team.running(name) for name in ("closed", "preempted")}
    stays = {"priorityClassName": PRIORITY, "tolerations": [{"key": TAINT, "operator": "Exists"}]}
    team.submit("urgent", **seated, podTemplate={"spec": stays})
    team.failure("preempted")
    team.failure("greedy")
    node = pods["closed"]["spec"]["nodeName"]
    cluster.kubectl("taint", "node", node, f"{TAINT}=yes:NoExecute")
    try:
        team.failure("closed")
    finally:
        cluster.kubectl("taint", "node", node, f"{TAINT}-")
    return pods


def test_a_worker_that_outgrew_its_memory_is_told_with_its_limit(team, pods) -> None:
    failure = team.failure("greedy")
    assert failure["reason"] == "OutOfMemory"
    # Where the kernel kills the whole container, nobody is left to tell the peak.
    assert re.search(r"limit (of 600Mi|600 MiB, peak \d+ MiB)", failure["message"]), failure
    assert "raise spec.resources.limits.memory" in failure["message"]
    assert team.status("greedy")["phase"] == "Failed"


def test_a_volume_that_cannot_be_mounted_is_told_in_the_words_of_the_kubelet(team, pods) -> None:
    def told() -> str:
        conditions = team.status("unmounted").get("conditions", ())
        return next((c["message"] for c in conditions if c["reason"] == "FailedMount"), "")

    message = team.eventually(told, 120)
    assert message.startswith("rank 0 (pod unmounted-0-")
    assert 'secret "not-there" not found' in message


def test_a_worker_that_made_room_for_a_higher_priority_is_told_as_such(team, pods) -> None:
    failure = team.failure("preempted")
    assert failure["reason"] == "PreemptedByScheduler"
    assert failure["pod"] == pods["preempted"]["metadata"]["name"]
    assert "a pod of higher priority took its place" in failure["message"]
    assert team.status("preempted")["restarts"] == 0
    assert team.status("preempted")["phase"] != "Failed"


def test_a_worker_whose_node_was_closed_to_it_is_told_as_such(team, pods) -> None:
    failure = team.failure("closed")
    assert failure["reason"] == "NodeTainted"
    assert failure["pod"] == pods["closed"]["metadata"]["name"]
    assert f"node {pods['closed']['spec']['nodeName']} got a taint" in failure["message"]
    team.running("closed")
    assert team.status("closed")["restarts"] == 0
