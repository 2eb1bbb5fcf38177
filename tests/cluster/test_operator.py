"""The operator against a real API server: restarts, suspension, claims, jobs made anew."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

NAMESPACE = "operator-tests"
GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*.yaml"))
TRAINS = """
import sys

import keras
import numpy as np

x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
y = (x.sum(axis=1) > 0).astype("int32")
model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(x, y, batch_size=16, epochs=int(sys.argv[1]), verbose=0)
"""


@pytest.fixture(scope="module")
def namespace(cluster, operator) -> Iterator[str]:
    cluster.kubectl("create", "namespace", NAMESPACE)
    yield NAMESPACE
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=true")


def _job(name: str, *, epochs: int, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kubefit.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "workers": 1,
            "storage": {"create": {"size": "10Mi", "accessMode": "ReadWriteOnce"}},
            "script": {"inline": TRAINS, "args": [str(epochs)]},
            **spec,
        },
    }


def _status(cluster, name: str) -> dict[str, Any]:
    return cluster.get("trainingjob", name, namespace=NAMESPACE).get("status", {})


def _phase(cluster, name: str) -> str:
    return _status(cluster, name).get("phase", "")


def _pods(cluster, name: str) -> list[str]:
    selector = f"kubefit.dev/job={name}"
    pods = cluster.get("pods", namespace=NAMESPACE, selector=selector)["items"]
    return [pod["metadata"]["uid"] for pod in pods]


def _written(cluster, name: str) -> dict[str, Any]:
    """What the operator last wrote to each child, and when."""
    kinds = "jobs.batch,services,configmaps,persistentvolumeclaims"
    selector = f"kubefit.dev/job={name}"
    command = ("-n", NAMESPACE, "get", kinds, "-l", selector, "-o", "json")
    children = json.loads(cluster.kubectl(*command, "--show-managed-fields"))
    return {
        child["kind"]: [
            child["metadata"].get("generation"),
            *(f for f in child["metadata"]["managedFields"] if f["manager"] == "kubefit"),
        ]
        for child in children["items"]
    }


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_the_reviewed_objects_are_accepted_by_an_api_server(file, cluster, namespace) -> None:
    documents = list(yaml.safe_load_all(file.read_text()))
    for document in documents:
        document["metadata"]["namespace"] = namespace
    text = yaml.safe_dump_all(documents)
    flags = ("--server-side", "--dry-run=server", "--validate=strict")
    output = cluster.kubectl("apply", *flags, "-f", "-", text=text)
    assert len(output.splitlines()) == len(documents)


def test_a_restarted_operator_leaves_a_running_job_alone(cluster, namespace, eventually) -> None:
    cluster.apply(_job("lasting", epochs=100000))
    eventually(lambda: _phase(cluster, "lasting") == "Running", 300)
    before, pods = _written(cluster, "lasting"), _pods(cluster, "lasting")
    assert len(before) == 4
    cluster.kubectl("-n", "kubefit-system", "rollout", "restart", "deployment/kubefit")
    cluster.kubectl(
        *("-n", "kubefit-system", "rollout", "status", "deployment/kubefit", "--timeout=300s")
    )
    step = _status(cluster, "lasting")["progress"]["step"]
    eventually(lambda: _status(cluster, "lasting")["progress"]["step"] > step, 120)
    assert _written(cluster, "lasting") == before
    assert _pods(cluster, "lasting") == pods
    assert _status(cluster, "lasting")["restarts"] == 0
    cluster.kubectl("-n", NAMESPACE, "delete", "tj", "lasting")


def test_a_suspended_job_has_no_pods_until_it_is_resumed(cluster, namespace, eventually) -> None:
    cluster.apply(_job("paused", epochs=2, runPolicy={"suspend": True}))
    eventually(lambda: _phase(cluster, "paused") == "Suspended", 60)
    assert _pods(cluster, "paused") == []
    resume = '{"spec":{"runPolicy":{"suspend":false}}}'
    cluster.kubectl("-n", NAMESPACE, "patch", "tj", "paused", "--type=merge", "-p", resume)
    eventually(lambda: _phase(cluster, "paused") == "Succeeded", 300)


def test_a_job_starts_once_its_claim_is_there(cluster, namespace, eventually) -> None:
    cluster.apply(_job("early", epochs=2, storage={"claim": "later"}))

    def waits() -> bool:
        conditions = _status(cluster, "early").get("conditions", [])
        return any(c["reason"] == "ClaimNotFound" for c in conditions)

    eventually(waits, 60)
    assert _pods(cluster, "early") == []
    cluster.claim(NAMESPACE, "later")
    eventually(lambda: _phase(cluster, "early") == "Succeeded", 300)


def test_a_job_made_anew_under_its_name_trains_in_pods_of_its_own(
    cluster, namespace, eventually
) -> None:
    cluster.apply(_job("again", epochs=100000))
    eventually(lambda: _phase(cluster, "again") == "Running", 300)
    old = _pods(cluster, "again")
    cluster.kubectl("-n", NAMESPACE, "delete", "tj", "again")
    cluster.apply(_job("again", epochs=2))
    eventually(lambda: _phase(cluster, "again") == "Succeeded", 300)
    assert set(_pods(cluster, "again")).isdisjoint(old)
