"""Pods that have a node and whose containers are not started: only the node's Events tell why."""

import datetime
from collections.abc import Iterable

from kubefit.core import workers
from kubefit.core.events import time
from kubefit.core.observed import Object, Observed

_PATIENCE_SECONDS = 5.0
"""So long a pod may be prepared on its node, before the Events are worth a look."""
_PREPARED = ("ContainerCreating", "PodInitializing")
_MOUNT = (
    "FailedMount",
    "its volumes cannot be mounted",
    "create what is missing, or correct spec.storage or the volumes in spec.podTemplate",
)
_SANDBOX = (
    "FailedCreatePodSandBox",
    "its node cannot make room for its containers",
    "look at the node's container runtime and network",
)
_FAULTS = {
    "FailedMount": _MOUNT,
    "FailedAttachVolume": _MOUNT,
    "FailedMapVolume": _MOUNT,
    "FailedCreatePodSandBox": _SANDBOX,
}
"""By the reason of the Event: reason, what is the matter, what to do."""


def overdue(pods: Iterable[Object], now: datetime.datetime) -> list[Object]:
    """The pods that have been prepared for a while, by rank."""
    patience = datetime.timedelta(seconds=_PATIENCE_SECONDS)
    found = []
    for _, pod in sorted(workers.latest(pods).items()):
        since = _prepared_since(pod)
        if since is not None and now >= since + patience:
            found.append(pod)
    return found


def since(pods: Iterable[Object]) -> float | None:
    """Unix time in seconds since which a pod has had a node and no container; None without one."""
    found = (_prepared_since(pod) for pod in workers.latest(pods).values())
    return min((placed.timestamp() for placed in found if placed is not None), default=None)


def told(observed: Observed) -> tuple[str, str] | None:
    """Reason and sentence of the lowest rank that has a fault."""
    for pod in overdue(observed.pods, observed.now):
        uid = pod["metadata"]["uid"]
        last = fault([e for e in observed.pod_events if e["involvedObject"]["uid"] == uid])
        if last is not None:
            reason, matter, advice = _FAULTS[last["reason"]]
            words = " ".join(str(last.get("message", "")).split()).rstrip(". ")
            return reason, f"{workers.called(pod)}: {matter}: {words}; {advice}"
    return None


def fault(said: Iterable[Object]) -> Object | None:
    """The last Event about a pod, when it is a fault: one that was overcome is none."""
    last = max(said, key=time, default=None)
    return last if last is not None and last.get("reason") in _FAULTS else None


def _prepared_since(pod: Object) -> datetime.datetime | None:
    """Since when it has had a node, where no container of it has been started."""
    if workers.phase(pod) != "Pending":
        return None
    status = pod["status"]
    containers = (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
    states = (container.get("state", {}) for container in containers)
    if any(state.get("waiting", {}).get("reason") not in _PREPARED for state in states):
        return None
    placed = (
        condition["lastTransitionTime"]
        for condition in status.get("conditions", ())
        if condition["type"] == "PodScheduled" and condition["status"] == "True"
    )
    since = next(placed, None)
    return None if since is None else datetime.datetime.fromisoformat(str(since))
