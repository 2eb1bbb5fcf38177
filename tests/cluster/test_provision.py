"""The test cluster is a real one: names resolve, claims bind, images are there."""

import json

import pytest

pytestmark = pytest.mark.cluster

NAMESPACE = "provision"
PROBE = """
import socket, sys, time
deadline = time.monotonic() + 60
while True:
    try:
        print(socket.gethostbyname("probe-0.probe"))
        break
    except OSError as error:
        if time.monotonic() > deadline:
            raise
open("/mnt/kubefit/written", "w").close()
"""


@pytest.fixture
def namespace(cluster):
    cluster.kubectl("create", "namespace", NAMESPACE)
    yield NAMESPACE
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=true")


def test_an_indexed_job_finds_its_own_host_name_and_writes_to_a_claim(
    cluster, namespace, eventually
) -> None:
    labels = {"probe": "yes"}
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "probe", "namespace": namespace},
            "spec": {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": labels},
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "probe", "namespace": namespace},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Mi"}},
            },
        },
        _job(namespace, labels),
    )

    def finished() -> bool:
        conditions = cluster.get("job", "probe", namespace=namespace)["status"].get("conditions")
        return any(c["type"] == "Complete" and c["status"] == "True" for c in conditions or ())

    eventually(finished, 180)
    pod = cluster.get("pods", namespace=namespace, selector="probe=yes")["items"][0]
    assert cluster.kubectl("-n", namespace, "logs", "job/probe").strip() == pod["status"]["podIP"]
    claim = cluster.get("pvc", "probe", namespace=namespace)
    assert claim["status"]["phase"] == "Bound"


def _job(namespace: str, labels: dict[str, str]) -> dict:
    container = {
        "name": "probe",
        "image": "kubefit/operator:dev",
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", PROBE],
        "volumeMounts": [{"name": "volume", "mountPath": "/mnt/kubefit"}],
    }
    spec = {
        "subdomain": "probe",
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "volume", "persistentVolumeClaim": {"claimName": "probe"}}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "probe", "namespace": namespace},
        "spec": {
            "completionMode": "Indexed",
            "completions": 1,
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def test_the_node_runs_the_version_that_the_project_promises(cluster) -> None:
    nodes = json.loads(cluster.kubectl("get", "nodes", "-o", "json"))["items"]
    versions = {node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes}
    assert all(tuple(map(int, v.lstrip("v").split(".")[:2])) >= (1, 31) for v in versions), versions
