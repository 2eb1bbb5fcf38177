"""Pods of workers and warnings about them, as far as people are told of them.

Pure functions of what the API server gives.
"""

from dataclasses import dataclass
from typing import Any

from kubefit.api.names import CONTAINER

_INDEX = "batch.kubernetes.io/job-completion-index"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPod:
    """A pod of a worker, as far as its logs, and sentences about it, need it."""

    name: str
    uid: str
    rank: int
    restarts: int
    """Restarts of the container within this pod."""
    started: bool
    """Its container runs or has ended, so that it has a log."""
    ended: bool
    created: str
    ready: bool = False
    state: str = ""
    """What its container waits for, else the phase of the pod."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """A warning that somebody in the cluster gave about an object."""

    kind: str
    name: str
    reason: str
    message: str
    time: str
    """When it was given last, as RFC 3339; empty where nobody noted it."""


def worker_pod(item: dict[str, Any]) -> WorkerPod:
    """The pod of a worker."""
    metadata, status = item["metadata"], item.get("status", {})
    labels = {**metadata.get("annotations", {}), **metadata.get("labels", {})}
    containers = status.get("containerStatuses", [])
    own: dict[str, Any] = next((found for found in containers if found["name"] == CONTAINER), {})
    state = own.get("state", {})
    conditions = status.get("conditions", [])
    waiting = state.get("waiting", {}).get("reason")
    return WorkerPod(
        name=metadata["name"],
        uid=metadata["uid"],
        rank=int(labels.get(_INDEX, 0)),
        restarts=int(own.get("restartCount", 0)),
        started="running" in state or "terminated" in state,
        ended="terminated" in state,
        created=metadata["creationTimestamp"],
        ready=any(c["type"] == "Ready" and c["status"] == "True" for c in conditions),
        state=waiting or status.get("phase", "Pending"),
    )


def warned(item: dict[str, Any]) -> Warned:
    """An event that is a warning."""
    about = item.get("involvedObject", {})
    series = item.get("series") or {}
    times = (series.get("lastObservedTime"), item.get("lastTimestamp"), item.get("eventTime"))
    return Warned(
        kind=about.get("kind", ""),
        name=about.get("name", ""),
        reason=item.get("reason") or "",
        message=(item.get("message") or "").strip(),
        time=next((time for time in times if time), ""),
    )
