"""What a real scheduler, kubelet and Job controller lead the status to say, and its deadlines."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]

NAMESPACE = "status-tests"
SLEEPS = "import time\nwhile True:\n    time.sleep(1)\n"
TOO_MUCH = {"requests": {"cpu": "100"}, "limits": {"cpu": "100"}}
NO_SECRET = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "not-there", "key": "key"}}}
WAITS = {
    "cpu": (
        {"resources": TOO_MUCH},
        "Unschedulable",
        ("Insufficient cpu", "asks for 100 of cpu", "lower spec.resources"),
    ),
    "selector": (
        {"podTemplate": {"spec": {"nodeSelector": {"not": "there"}}}},
        "Unschedulable",
        ("affinity/selector", "spec.podTemplate.spec.nodeSelector"),
    ),
    "image": (
        {"image": "registry.invalid/none:1"},
        "ImagePullBackOff",
        ("the image registry.invalid/none:1 cannot be pulled", "registry.invalid/v2/none"),
    ),
    "configuration": (
        {"podTemplate": {"spec": {"containers": [{"name": "trainer", "env": [NO_SECRET]}]}}},
        "CreateContainerConfigError",
        ("not-there", "spec.podTemplate"),
    ),
    "claim": (
        {"storage": {"create": {"size": "1Gi", "storageClass": "not-there"}}},
        "ClaimUnbound",
        ("the claim claim is not bound", "storage class"),
    ),
}


@pytest.fixture(scope="module")
def namespace(cluster, operator) -> Iterator[str]:
    cluster.kubectl("create", "namespace", NAMESPACE)
    yield NAMESPACE
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=true")


def _submit(cluster, name: str, **spec: Any) -> None:
    cluster.apply(
        {
            "apiVersion": "kubefit.dev/v1alpha1",
            "kind": "TrainingJob",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {
                "storage": {"create": {"size": "10Mi", "accessMode": "ReadWriteOnce"}},
                "script": {"inline": SLEEPS},
                **spec,
            },
        }
    )


def _delete(cluster, name: str) -> None:
    cluster.kubectl("-n", NAMESPACE, "delete", "tj", name, "--cascade=foreground")


def _status(cluster, name: str) -> dict[str, Any]:
    return cluster.get("trainingjob", name, namespace=NAMESPACE).get("status", {})


def _condition(cluster, name: str, kind: str) -> dict[str, Any]:
    conditions = _status(cluster, name).get("conditions", [])
    return next((c for c in conditions if c["type"] == kind), {"reason": "", "message": ""})


def _pods(cluster, name: str) -> list[str]:
    selector = f"kubefit.dev/job={name}"
    pods = cluster.get("pods", namespace=NAMESPACE, selector=selector)["items"]
    return [pod["metadata"]["name"] for pod in pods]


@pytest.mark.parametrize(("name", "spec", "reason", "words"), [(n, *w) for n, w in WAITS.items()])
def test_what_a_job_waits_for_is_told(
    name, spec, reason, words, cluster, namespace, eventually
) -> None:
    _submit(cluster, name, **spec)

    def told() -> str:
        found = _condition(cluster, name, "PodsReady")
        return found["message"] if found["reason"] == reason else ""

    message = eventually(told, 120)
    (pod,) = _pods(cluster, name)
    assert message.startswith(f"rank 0 (pod {pod}): ")
    for word in words:
        assert word in message
    _delete(cluster, name)


def test_a_quota_is_told_until_it_has_room(cluster, namespace, eventually) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": {"pods": "1"}}}
    cluster.apply({**quota, "metadata": {"name": "few-pods", "namespace": NAMESPACE}})
    eventually(
        lambda: "used" in cluster.get("quota", "few-pods", namespace=NAMESPACE)["status"], 60
    )
    _submit(cluster, "quota", workers=2)
    eventually(
        lambda: _condition(cluster, "quota", "PodsReady")["reason"] == "QuotaExceeded",
        60,
    )
    message = _condition(cluster, "quota", "PodsReady")["message"]
    assert "the quota few-pods of the namespace has no room for it" in message
    assert "limited: pods=1" in message
    cluster.kubectl("-n", NAMESPACE, "delete", "quota", "few-pods")
    eventually(lambda: len(_pods(cluster, "quota")) == 2, 180)
    eventually(
        lambda: _condition(cluster, "quota", "PodsReady")["reason"] != "QuotaExceeded",
        60,
    )
    _delete(cluster, "quota")


def test_a_job_that_cannot_start_fails_at_its_deadline_and_lets_its_pods_go(
    cluster, namespace, eventually
) -> None:
    _submit(cluster, "late", resources=TOO_MUCH, runPolicy={"startDeadlineSeconds": 10})
    eventually(lambda: _status(cluster, "late").get("phase") == "Failed", 60)
    failure = _status(cluster, "late")["failure"]
    assert failure["reason"] == "StartDeadlineExceeded"
    assert "10 s of spec.runPolicy.startDeadlineSeconds: rank 0 (pod late-0-" in failure["message"]
    assert "Insufficient cpu" in failure["message"]
    eventually(lambda: not _pods(cluster, "late"), 120)
    _delete(cluster, "late")


def test_a_job_that_takes_too_long_fails_at_its_active_deadline(
    cluster, namespace, eventually
) -> None:
    _submit(cluster, "long", resources=TOO_MUCH, runPolicy={"activeDeadlineSeconds": 5})
    eventually(lambda: _status(cluster, "long").get("phase") == "Failed", 60)
    status = _status(cluster, "long")
    assert status["failure"]["reason"] == "DeadlineExceeded"
    assert status["failures"][-1] == status["failure"]
    assert "spec.runPolicy.activeDeadlineSeconds" in status["failure"]["message"]
    _delete(cluster, "long")


def test_a_finished_job_goes_in_time_though_nothing_else_happens(
    cluster, namespace, eventually
) -> None:
    _submit(cluster, "brief", script={"inline": "pass"}, runPolicy={"ttlSecondsAfterFinished": 15})
    eventually(lambda: _status(cluster, "brief").get("phase") == "Succeeded", 300)
    command = ("-n", NAMESPACE, "get", "tj", "brief")
    eventually(lambda: cluster.try_kubectl(*command).returncode != 0, 40)


def test_an_evicted_worker_is_told_as_such_and_costs_no_restart(
    cluster, namespace, eventually
) -> None:
    _submit(cluster, "evicted")
    pod = eventually(lambda: _ready(cluster, "evicted"), 300)
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": NAMESPACE},
    }
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}/eviction"
    cluster.kubectl("create", "--raw", path, "-f", "-", text=json.dumps(eviction))
    (failure,) = eventually(lambda: _status(cluster, "evicted").get("failures"), 120)
    assert (failure["reason"], failure["rank"], failure["pod"]) == ("Evicted", 0, pod)
    assert failure["message"].startswith(f"rank 0 (pod {pod}): was evicted from node ")
    again = eventually(lambda: _ready(cluster, "evicted"), 300)
    assert again != pod
    status = _status(cluster, "evicted")
    assert (status["failures"], status["restarts"]) == ([failure], 0)
    _delete(cluster, "evicted")


def _ready(cluster, name: str) -> str:
    """Name of the pod that is ready; empty when none is."""
    for pod in cluster.get("pods", namespace=NAMESPACE, selector=f"kubefit.dev/job={name}")[
        "items"
    ]:
        ready = [c for c in pod["status"].get("conditions", []) if c["type"] == "Ready"]
        if "deletionTimestamp" not in pod["metadata"] and any(c["status"] == "True" for c in ready):
            return pod["metadata"]["name"]
    return ""
