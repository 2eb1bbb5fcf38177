"""The cluster on kind, where a Docker engine runs."""

import json
import shutil
import subprocess

from places import (
    API_GROUPS,
    FEATURE_GATES,
    KUBECONFIG,
    KUBERNETES,
    OPERATOR_IMAGE,
    REPOSITORY,
    STATE,
    TRAINER_IMAGE,
)

_NAME = "kubefit"
_CONFIG = {
    "kind": "Cluster",
    "apiVersion": "kind.x-k8s.io/v1alpha4",
    "featureGates": dict.fromkeys(FEATURE_GATES, True),
    "runtimeConfig": dict.fromkeys(API_GROUPS, "true"),
}


def possible() -> bool:
    """Whether kind is installed and a Docker engine answers."""
    if not (shutil.which("kind") and shutil.which("docker")):
        return False
    return subprocess.run(["docker", "info"], capture_output=True).returncode == 0


def up(*, with_images: bool) -> None:
    """Makes the kind cluster unless it is there, and loads the images."""
    STATE.mkdir(parents=True, exist_ok=True)
    there = subprocess.run(["kind", "get", "clusters"], capture_output=True, text=True).stdout
    if _NAME not in there.split():
        image = f"kindest/node:v{KUBERNETES}"
        config = STATE / "kind.yaml"
        config.write_text(json.dumps(_CONFIG))
        create = ("kind", "create", "cluster", "--name", _NAME, "--config", str(config))
        _run(*create, "--image", image, "--wait", "300s")
    _run("kind", "export", "kubeconfig", "--name", _NAME, "--kubeconfig", str(KUBECONFIG))
    if with_images:
        for image, target in ((OPERATOR_IMAGE, "operator"), (TRAINER_IMAGE, "trainer")):
            _run("docker", "build", "--target", target, "--tag", image, str(REPOSITORY))
            _run("kind", "load", "docker-image", "--name", _NAME, image)


def down() -> None:
    """Deletes the kind cluster."""
    _run("kind", "delete", "cluster", "--name", _NAME)
    shutil.rmtree(STATE, ignore_errors=True)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
