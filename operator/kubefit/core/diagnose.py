"""Why pods are not ready yet, in one sentence that a user can act on."""

from collections.abc import Iterable

from kubefit.core import workers
from kubefit.core.observed import Object

_WAITING_FOR_NOTHING = ("ContainerCreating", "PodInitializing")


def not_ready(pods: Iterable[Object]) -> tuple[str, str] | None:
    """Reason and sentence of the lowest rank that waits for something; None when none does."""
    for rank, pod in sorted(workers.latest(pods).items()):
        found = _unschedulable(pod) or _waiting(pod) or _fetching(pod)
        if found:
            reason, message = found
            return reason, f"rank {rank}: {message}"
    return None


def _unschedulable(pod: Object) -> tuple[str, str] | None:
    for condition in pod.get("status", {}).get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return "Unschedulable", str(condition.get("message", "no node takes the pod"))
    return None


def _fetching(pod: Object) -> tuple[str, str] | None:
    return ("Fetching", "spec.fetch is carried out") if workers.fetches(pod) else None


def _waiting(pod: Object) -> tuple[str, str] | None:
    status = pod.get("status", {})
    for container in (
        *status.get("initContainerStatuses", ()),
        *status.get("containerStatuses", ()),
    ):
        waiting = container.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") not in (None, *_WAITING_FOR_NOTHING):
            message = waiting.get("message") or f"container {container['name']} waits"
            return str(waiting["reason"]), f"{message} (image {container.get('image', '?')})"
    return None
