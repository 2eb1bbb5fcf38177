"""Training goes on while its volume is full; a volume that was never writable is refused."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pod_faults import TRAINER, send
from shades import recipe, write_images

from kubefit.api.names import LABEL_JOB, VOLUME_DIR

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

NAMESPACE = "full-volume"
CLAIM = "small"
MOUNT = "/var/tmp/kubefit-small-volume"
FILLS = f"""
dd if=/dev/zero of={MOUNT}/filler bs=64k 2>/dev/null
i=0; while touch {MOUNT}/filler-$i 2>/dev/null; do i=$((i+1)); done
"""


def _small_volume() -> list[dict[str, Any]]:
    spec = {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "",
        "volumeName": f"{NAMESPACE}-{CLAIM}",
    }
    size = {"storage": "16Mi"}
    claim = {"name": CLAIM, "namespace": NAMESPACE}
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": spec["volumeName"]},
            "spec": {
                "accessModes": spec["accessModes"],
                "capacity": size,
                "hostPath": {"path": MOUNT},
                "claimRef": claim,
            },
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": claim,
            "spec": {**spec, "resources": {"requests": size}},
        },
    ]


@pytest.fixture(scope="module")
def node(cluster, operator, open_node, open_desk, tmp_path_factory) -> Iterator[Any]:
    """The node, which holds a volume of 16 MiB with images on it, in a namespace with its claim."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    node = open_node(NAMESPACE)
    node.run("mkdir", "-p", MOUNT)
    node.run(*("mount", "-t", "tmpfs", "-o", "size=16m,nr_inodes=600,mode=777", "tmpfs", MOUNT))
    try:
        cluster.apply(*_small_volume())
        open_desk(NAMESPACE, {CLAIM: VOLUME_DIR})
        images: Path = tmp_path_factory.mktemp("images") / "train"
        write_images(images)
        cluster.kubectl("-n", NAMESPACE, "cp", str(images), f"desk:{VOLUME_DIR}/train")
        yield node
    finally:
        cluster.kubectl("-n", NAMESPACE, "delete", "tj", "--all")
        cluster.kubectl("-n", NAMESPACE, "delete", "pod", "desk", "--ignore-not-found")
        # Pods that end may hold it a while longer.
        taken = f"until umount --lazy {MOUNT}; rmdir {MOUNT}; do sleep 1; done"
        node.run("timeout", "120", "sh", "-c", taken)
        cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=true")
        cluster.kubectl("delete", "pv", f"{NAMESPACE}-{CLAIM}", "--ignore-not-found")


def _job(name: str, **spec: Any) -> dict[str, Any]:
    training = {**recipe()["training"], "epochs": 100000}
    return {
        "apiVersion": "kubefit.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "workers": 1,
            "storage": {"claim": CLAIM},
            "checkpoint": {"everySeconds": 1, "memoryEverySeconds": 1},
            "recipe": {**recipe(), "training": training},
            **spec,
        },
    }


def _status(cluster, name: str) -> dict[str, Any]:
    return cluster.get("trainingjob", name, namespace=NAMESPACE).get("status", {})


def _checkpointed(cluster, name: str) -> dict[str, Any]:
    found = _status(cluster, name).get("conditions", [])
    return next((c for c in found if c["type"] == "Checkpointed"), {})


def test_training_outlives_a_full_volume_and_a_restart_meanwhile(cluster, node, eventually) -> None:
    cluster.apply(_job("fills"))

    def is_checkpointed(status: str) -> dict[str, Any] | None:
        found = _checkpointed(cluster, "fills")
        return found if found.get("status") == status else None

    eventually(lambda: is_checkpointed("True"), 300)
    node.run("sh", "-c", FILLS)
    told = eventually(lambda: is_checkpointed("False"), 300)
    assert told["reason"] == "CannotBeWritten"
    assert "No space left on device" in told["message"]
    selector = f"{LABEL_JOB}=fills"
    (pod,) = cluster.get("pods", namespace=NAMESPACE, selector=selector)["items"]
    before = _status(cluster, "fills")["progress"]["step"]
    send(cluster, NAMESPACE, pod["metadata"]["name"], signal.SIGKILL, TRAINER)
    eventually(lambda: _status(cluster, "fills").get("restarts") == 1, 300)
    eventually(lambda: _status(cluster, "fills")["progress"]["step"] > before + 50, 300)
    assert is_checkpointed("False")
    node.run("sh", "-c", f"rm {MOUNT}/filler*")
    eventually(lambda: is_checkpointed("True"), 300)
    (same,) = cluster.get("pods", namespace=NAMESPACE, selector=selector)["items"]
    assert same["metadata"]["uid"] == pod["metadata"]["uid"]


MOUNTED = {"name": "volume", "mountPath": VOLUME_DIR, "readOnly": True}
READ_ONLY = {
    "podTemplate": {"spec": {"containers": [{"name": "trainer", "volumeMounts": [MOUNTED]}]}}
}


@pytest.mark.parametrize(
    ("name", "spec", "said"),
    [("mounted", READ_ONLY, "Read-only file system"), ("denied", {}, "Permission denied")],
)
def test_a_volume_that_cannot_be_written_is_refused_in_one_sentence(
    cluster, node, eventually, name, spec, said
) -> None:
    node.run("mkdir", "-p", f"{MOUNT}/{NAMESPACE}")
    node.run("mkdir", "-m", "755", f"{MOUNT}/{NAMESPACE}/{name}")
    cluster.apply(_job(name, **spec))
    eventually(lambda: _status(cluster, name).get("phase") == "Failed", 300)
    failure = _status(cluster, name)["failure"]
    assert failure["reason"] == "ConfigurationError"
    assert failure["message"].startswith("spec.storage: ")
    assert said in failure["message"]
