"""The operator has the rights that it uses and no others, as the API server's audit log says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

NAMESPACE = "rights"
SYSTEM = "kubefit-system"
Right = tuple[str, str, str]
"""Verb, group and resource."""
SUSPEND = '{"spec":{"runPolicy":{"suspend":true}}}'
NOT_ASKED_FOR = {
    # Asked for by admission, and only where OwnerReferencesPermissionEnforcement is on.
    ("update", "kubefit.dev", "trainingjobs/finalizers"),
}


@pytest.fixture(scope="module")
def lives(cluster, audit_log, operator, eventually) -> Iterator[None]:
    """Jobs that together make the operator do all that it ever does."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    _make_all_of_it(cluster, eventually)
    yield
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=true")


def _make_all_of_it(cluster, eventually) -> None:
    suspended = {"runPolicy": {"suspend": True}}
    storage = {"storage": {"create": {"size": "10Mi", "accessMode": "ReadWriteOnce"}}}
    left = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "left-0",
            "namespace": NAMESPACE,
            "labels": {"kubefit.dev/job": "left", "kubefit.dev/role": "worker"},
        },
        "spec": {"containers": [{"name": "idle", "image": "docker.io/kubefit/trainer:dev"}]},
    }
    cluster.apply(left)
    hard = {"pods": "1"}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": hard}}
    cluster.apply({**quota, "metadata": {"name": "one", "namespace": NAMESPACE}})
    eventually(lambda: cluster.get("resourcequota", "one", namespace=NAMESPACE).get("status"), 60)
    cluster.apply(
        _job("watched", **suspended, **storage, tensorboard={"enabled": True}),
        _job("left", **storage),
        _job("gang", **storage, scheduling={"gang": True}),
        _job(
            "over", **storage, script={"inline": "print("}, runPolicy={"ttlSecondsAfterFinished": 0}
        ),
    )
    eventually(lambda: _phase(cluster, "watched") == "Suspended", 60)
    change = '{"spec":{"tensorboard":{"enabled":false}}}'
    cluster.kubectl("-n", NAMESPACE, "patch", "tj", "watched", "--type=merge", "-p", change)
    eventually(lambda: not _names(cluster, "deployments"), 60)
    eventually(lambda: _phase(cluster, "left") == "Pending", 60)
    eventually(lambda: _lacks_pods(cluster, "gang"), 120)
    cluster.kubectl("-n", NAMESPACE, "patch", "tj", "gang", "--type=merge", "-p", SUSPEND)
    eventually(lambda: "gang" not in _names(cluster, "jobs"), 60)
    eventually(lambda: "over" not in _names(cluster, "trainingjobs"), 60)


def _job(name: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE}
    spec = {"workers": 1, "script": {"inline": "print(1)"}, **spec}
    api = {"apiVersion": "kubefit.dev/v1alpha1", "kind": "TrainingJob"}
    return {**api, "metadata": metadata, "spec": spec}


def _names(cluster, kind: str) -> list[str]:
    found = cluster.get(kind, namespace=NAMESPACE)["items"]
    return [one["metadata"]["name"] for one in found]


def _lacks_pods(cluster, name: str) -> bool:
    status = cluster.get("trainingjob", name, namespace=NAMESPACE).get("status", {})
    return any(c["reason"] == "QuotaExceeded" for c in status.get("conditions", ()))


def _phase(cluster, name: str) -> str:
    return cluster.get("trainingjob", name, namespace=NAMESPACE).get("status", {}).get("phase", "")


def _granted(cluster) -> set[Right]:
    rules = cluster.get("clusterrole", "kubefit")["rules"]
    rules += cluster.get("role", "kubefit-election", namespace=SYSTEM)["rules"]
    return {
        (verb, group, resource)
        for rule in rules
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def _granted_since(cluster) -> str:
    """When this installation was given its rights: one before that was taken away lost its own."""
    bindings = (
        cluster.get("clusterrolebinding", "kubefit"),
        cluster.get("rolebinding", "kubefit-election", namespace=SYSTEM),
    )
    return max(binding["metadata"]["creationTimestamp"] for binding in bindings)


def _requests(audit_log: Path) -> Iterator[dict[str, Any]]:
    for line in audit_log.read_text().splitlines():
        event = json.loads(line)
        if "objectRef" in event and event["user"]["username"].endswith(f":{SYSTEM}:kubefit"):
            yield event


def _decision(event: dict[str, Any]) -> str:
    """Of those who know what the user may do."""
    decided: str = event.get("annotations", {}).get("authorization.k8s.io/decision", "")
    return decided


def _used(audit_log: Path) -> set[Right]:
    found = set()
    for event in _requests(audit_log):
        place = event["objectRef"]
        resource = "/".join(filter(None, (place["resource"], place.get("subresource", ""))))
        group = place.get("apiGroup", "")
        found.add((event["verb"], group, resource))
        if event["verb"] == "patch" and event["responseStatus"]["code"] == 201:
            found.add(("create", group, resource))  # applying what is not there asks for both
    return found


def test_every_right_is_used(cluster, audit_log, lives, eventually) -> None:
    granted = _granted(cluster) - NOT_ASKED_FOR
    eventually(lambda: granted <= _used(audit_log), 30)


def test_nothing_was_asked_for_without_the_right(cluster, audit_log, lives) -> None:
    assert _used(audit_log) <= _granted(cluster)
    # A namespace that is about to go refuses new objects too, whoever has the right.
    refused = [event for event in _requests(audit_log) if _decision(event) == "forbid"]
    since = _granted_since(cluster)
    assert not [event for event in refused if event["requestReceivedTimestamp"] >= since]


def test_no_secret_is_ever_read(audit_log, lives) -> None:
    verbs = {e["verb"] for e in _requests(audit_log) if e["objectRef"]["resource"] == "secrets"}
    assert verbs == {"create"}
