"""A job that is changed, deleted, or applied again, as a real API server sees it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

NAMESPACE = "lifecycle-tests"


@pytest.fixture(scope="module")
def namespace(cluster, operator) -> Iterator[str]:
    cluster.kubectl("create", "namespace", NAMESPACE)
    yield NAMESPACE
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=true")


def _job(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kubefit.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "storage": {"create": {"size": "10Mi", "accessMode": "ReadWriteOnce"}},
            "script": {"inline": "import time\ntime.sleep(3600)"},
            **spec,
        },
    }


def _pods(cluster, name: str) -> list[dict[str, Any]]:
    return cluster.get("pods", namespace=NAMESPACE, selector=f"kubefit.dev/job={name}")["items"]


def _patch(cluster, name: str, spec: dict[str, Any]) -> None:
    patch = json.dumps({"spec": spec})
    cluster.kubectl("-n", NAMESPACE, "patch", "tj", name, "--type=merge", "-p", patch)


def test_a_change_of_a_suspended_job_makes_other_pods(cluster, namespace, eventually) -> None:
    cluster.apply(_job("changed", resources={"requests": {"cpu": "10m"}}))
    eventually(lambda: _pods(cluster, "changed"), 120)
    old = {pod["metadata"]["uid"] for pod in _pods(cluster, "changed")}
    _patch(cluster, "changed", {"runPolicy": {"suspend": True}})
    # At once: whether the operator has seen the job suspended makes no difference.
    other = {"resources": {"requests": {"cpu": "20m"}}, "runPolicy": {"suspend": False}}
    _patch(cluster, "changed", other)

    def requested() -> Any:
        new = [pod for pod in _pods(cluster, "changed") if pod["metadata"]["uid"] not in old]
        return [pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] for pod in new]

    assert eventually(requested, 180) == ["20m"]
    cluster.kubectl("-n", NAMESPACE, "delete", "tj", "changed")


def test_a_job_applied_again_unchanged_is_not_written(cluster, namespace, eventually) -> None:
    job = _job("same", runPolicy={"suspend": True})
    cluster.apply(job)

    def settled() -> Any:
        stored = cluster.get("tj", "same", namespace=NAMESPACE)
        return stored if stored.get("status", {}).get("phase") == "Suspended" else None

    before = eventually(settled, 60)["metadata"]
    cluster.apply(job)
    after = cluster.get("tj", "same", namespace=NAMESPACE)["metadata"]
    for field in ("generation", "resourceVersion"):
        assert after[field] == before[field]
    cluster.kubectl("-n", NAMESPACE, "delete", "tj", "same")


def test_a_job_made_anew_within_a_second_waits_for_the_old_pods(
    cluster, namespace, eventually
) -> None:
    cluster.apply(_job("again"))
    eventually(lambda: _pods(cluster, "again"), 120)
    old = {pod["metadata"]["uid"] for pod in _pods(cluster, "again")}
    cluster.kubectl("-n", NAMESPACE, "delete", "tj", "again", "--wait=false")
    cluster.apply(_job("again"))

    def new() -> bool:
        uids = {pod["metadata"]["uid"] for pod in _pods(cluster, "again")}
        assert not (uids & old and uids - old), "pods of two jobs of one name exist at once"
        return bool(uids - old)

    eventually(new, 180)
    cluster.kubectl("-n", NAMESPACE, "delete", "tj", "again")


def test_a_job_of_another_controller_is_left_alone(cluster, namespace, eventually) -> None:
    cluster.apply(_job("foreign", managedBy="example.org/elsewhere"))
    cluster.apply(_job("own", managedBy="kubefit.dev/operator", runPolicy={"suspend": True}))
    # The operator has looked at the first when it has written about the second.
    eventually(lambda: cluster.get("tj", "own", namespace=NAMESPACE).get("status"), 60)
    assert "status" not in cluster.get("tj", "foreign", namespace=NAMESPACE)
    kinds, selector = "jobs.batch,services,configmaps,secrets", "kubefit.dev/job=foreign"
    assert cluster.get(kinds, namespace=NAMESPACE, selector=selector)["items"] == []
    cluster.kubectl("-n", NAMESPACE, "delete", "tj", "foreign", "own")
