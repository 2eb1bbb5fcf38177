"""The default StorageClass `standard`: a folder of this machine for each claim, as kind's has it.

Run as a program it is the provisioner: it binds claims once a pod that uses them is scheduled, and
removes volume and folder when the claim is gone.
"""

import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import binaries
from control_plane import kubectl
from places import KUBECONFIG, NODE, STORAGE_CLASS, VOLUMES
from processes import start

NAMES = ("provisioner",)
_PROVISIONER = "kubefit.dev/folder"
_LOOK_SECONDS = 1.0
_SELECTED_NODE = "volume.kubernetes.io/selected-node"


def up() -> None:
    """Makes the StorageClass and starts the provisioner."""
    _apply(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": STORAGE_CLASS,
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": _PROVISIONER,
            "volumeBindingMode": "WaitForFirstConsumer",
            "reclaimPolicy": "Delete",
        }
    )
    start("provisioner", [sys.executable, __file__])


def volume_for(claim: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The PersistentVolume that a claim asks for."""
    metadata = claim["metadata"]
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": f"pvc-{metadata['uid']}",
            "annotations": {"pv.kubernetes.io/provisioned-by": _PROVISIONER},
        },
        "spec": {
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "accessModes": claim["spec"]["accessModes"],
            "storageClassName": STORAGE_CLASS,
            "persistentVolumeReclaimPolicy": "Delete",
            "hostPath": {"path": str(folder), "type": "DirectoryOrCreate"},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }


def provision_once() -> None:
    """Makes the volumes that wait and removes those whose claims are gone."""
    for claim in _items("persistentvolumeclaims", "--all-namespaces"):
        ours = claim["spec"].get("storageClassName") == STORAGE_CLASS
        placed = _SELECTED_NODE in claim["metadata"].get("annotations", {})
        if ours and placed and not claim["spec"].get("volumeName"):
            folder = VOLUMES / claim["metadata"]["uid"]
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o777)
            _apply(volume_for(claim, folder))
    for volume in _items("persistentvolumes"):
        ours = volume["spec"].get("storageClassName") == STORAGE_CLASS
        if ours and volume["status"].get("phase") in ("Released", "Failed"):
            kubectl("delete", "persistentvolume", volume["metadata"]["name"], "--wait=false")
            shutil.rmtree(volume["spec"]["hostPath"]["path"], ignore_errors=True)


def _items(*arguments: str) -> list[dict[str, Any]]:
    done = kubectl("get", *arguments, "-o", "json")
    return json.loads(done.stdout)["items"] if done.returncode == 0 else []


def _apply(document: dict[str, Any]) -> None:
    done = kubectl("apply", "-f", "-", text=json.dumps(document))
    if done.returncode:
        print(done.stderr.strip(), file=sys.stderr, flush=True)


def provision_for_ever() -> None:
    """Provisions at each change of a claim or volume; a watch that ends is started anew."""
    while True:
        reading, writing = os.pipe()
        watches = [
            _watch(kind, writing) for kind in ("persistentvolumeclaims", "persistentvolumes")
        ]
        os.close(writing)
        provision_once()
        # One that ends says nothing, and the other may have nothing to say for long.
        while all(watch.poll() is None for watch in watches):
            if select.select([reading], [], [], _LOOK_SECONDS)[0]:
                os.read(reading, 1 << 16)
                provision_once()
        os.close(reading)
        for watch in watches:
            watch.kill()
            watch.wait()
        time.sleep(1.0)


def _watch(kind: str, output: int) -> "subprocess.Popen[bytes]":
    command = [binaries.path("kubectl"), f"--kubeconfig={KUBECONFIG}", "get", kind]
    return subprocess.Popen([*command, "-A", "--watch", "-o", "name"], stdout=output)


if __name__ == "__main__":
    provision_for_ever()
