"""Nodes of a control plane that are faked: kwok carries pods through their lives.

The scheduler is real, with default flags. Pods are ready once they are bound, as in kwok's own
fast stages. All have the address of this machine, where `fake_agents.py` answers as agents do.
"""

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from control_plane import ControlPlane

_NODES = 10
_DAY_SECONDS = 86_400.0
_READY_SECONDS = 120
_STAGES = Path(__file__).with_suffix(".yaml")
_AGENTS = str(Path(__file__).with_name("fake_agents.py"))


@contextlib.contextmanager
def fake_nodes(
    plane: ControlPlane, *, lasts: float = _DAY_SECONDS, progress: bool = False
) -> Iterator[None]:
    """Nodes that are ready, and a volume for one claim; agents are ended afterwards.

    Args:
        plane: what the nodes belong to, which ends all else
        lasts: seconds after which pods succeed
        progress: whether chiefs are a step farther each time they are asked

    """
    stages = plane.folder / "stages.yaml"
    text = _STAGES.read_text().replace("ADDRESS", _address())
    stages.write_text(text.replace("LASTS", str(int(1000 * lasts))))
    plane.start_scheduler()
    plane.start_kwok(stages)
    command = [sys.executable, _AGENTS, *(["--progress"] if progress else [])]
    with (plane.folder / "agents.log").open("wb") as log:
        agents = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        objects = {"apiVersion": "v1", "kind": "List", "items": [*_nodes(), _volume()]}
        plane.kubectl("apply", "--server-side", "-f", "-", text=json.dumps(objects))
        _await_schedulable(plane)
        if agents.poll() is not None:
            raise SystemExit(f"no agent answers: {(plane.folder / 'agents.log').read_text()}")
        yield
    finally:
        agents.terminate()
        agents.wait()


def _nodes() -> list[dict[str, Any]]:
    typed = {"apiVersion": "v1", "kind": "Node"}
    return [{**typed, "metadata": {"name": f"fake-{number}"}} for number in range(_NODES)]


def _volume() -> dict[str, Any]:
    spec = {
        "accessModes": ["ReadWriteMany"],
        "capacity": {"storage": "1Gi"},
        "nfs": {"server": "192.0.2.1", "path": "/"},
    }
    typed = {"apiVersion": "v1", "kind": "PersistentVolume"}
    return {**typed, "metadata": {"name": "training"}, "spec": spec}


def _await_schedulable(plane: ControlPlane) -> None:
    """The controller manager unlocks nodes that are ready, and binds claims that are there."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        nodes, claims = _found(plane, "nodes"), _found(plane, "persistentvolumeclaims")
        ready = [one for one in nodes if one["status"].get("phase") == "Running"]
        open_to_pods = len(ready) == _NODES and not any("taints" in one["spec"] for one in ready)
        if open_to_pods and all(one["status"]["phase"] == "Bound" for one in claims):
            return
        time.sleep(0.5)
    raise SystemExit("the fake nodes did not become ready")


def _found(plane: ControlPlane, plural: str) -> list[dict[str, Any]]:
    found = plane.kubectl("get", plural, "--all-namespaces", "-o", "json")
    return list(json.loads(found)["items"])


def _address() -> str:
    """Of this machine, as others see it: endpoints may not be on the loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 1))  # sends nothing
        return str(probe.getsockname()[0])
