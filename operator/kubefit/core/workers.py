"""The workers' pods as ranks: the latest of each, which are ready, what they last said."""

import datetime
from collections.abc import Iterable, Iterator
from typing import cast

from pydantic import ValidationError

from kubefit.api import contract
from kubefit.api.contract import Outcome
from kubefit.api.names import CONTAINER, FETCH_CONTAINER
from kubefit.core import disruption
from kubefit.core.observed import Object

_INDEX = "batch.kubernetes.io/job-completion-index"


def rank(pod: Object) -> int | None:
    """The pod's rank; None for a pod that carries no completion index."""
    index = pod["metadata"].get("annotations", {}).get(_INDEX)
    return None if index is None else int(index)


def called(pod: Object) -> str:
    """How sentences call a worker: by its rank, and by its pod for who looks for that."""
    return f"rank {rank(pod)} (pod {pod['metadata']['name']})"


def latest(pods: Iterable[Object]) -> dict[int, Object]:
    """The newest pod of each rank."""
    found: dict[int, Object] = {}
    for pod in sorted(pods, key=lambda p: str(p["metadata"].get("creationTimestamp", ""))):
        number = rank(pod)
        if number is not None:
            found[number] = pod
    return found


def phase(pod: Object) -> str:
    """`status.phase`; a pod under deletion that still runs is `Terminating`."""
    value = str(pod.get("status", {}).get("phase", "Pending"))
    leaving = "deletionTimestamp" in pod["metadata"] and value in ("Pending", "Running")
    return "Terminating" if leaving else value


def ready(pod: Object) -> bool:
    """Whether the pod runs and its agent answers."""
    conditions = pod.get("status", {}).get("conditions", ())
    is_ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return phase(pod) == "Running" and is_ready


def unready_since(pod: Object) -> datetime.datetime | None:
    """When the pod ceased to be ready; None while it is, or where nothing tells."""
    for condition in pod.get("status", {}).get("conditions", ()):
        if condition["type"] == "Ready" and condition["status"] != "True":
            stamp = condition.get("lastTransitionTime")
            return datetime.datetime.fromisoformat(str(stamp)) if stamp else None
    return None


def chief_address(pods: Iterable[Object]) -> str | None:
    """Where the agent of rank 0 can be asked; None while its pod does not run."""
    pod = latest(pods).get(0)
    if pod is None or phase(pod) != "Running":
        return None
    address: str | None = pod["status"].get("podIP")
    return address


def termination(pod: Object) -> Object | None:
    """How the trainer ended, or that which was to fetch for it; None while neither has."""
    status = pod.get("status", {})
    fetched = _state(status.get("initContainerStatuses", ()), FETCH_CONTAINER).get("terminated")
    if fetched and fetched.get("exitCode"):
        return cast(Object, fetched)
    return _state(status.get("containerStatuses", ()), CONTAINER).get("terminated")


def fetches(pod: Object) -> bool:
    """Whether the pod is on its node and what it trains on is being fetched."""
    containers = pod.get("status", {}).get("initContainerStatuses", ())
    return "running" in _state(containers, FETCH_CONTAINER)


def _state(containers: Iterable[Object], name: str) -> Object:
    for container in containers:
        if container["name"] == name:
            return cast(Object, container.get("state", {}))
    return {}


def outcome(pod: Object) -> Outcome | None:
    """The agent's last words; None when there are none or they cannot be read."""
    ended = termination(pod)
    try:
        return Outcome.model_validate_json(ended.get("message", "")) if ended else None
    except ValidationError:
        return None


def created_at(pod: Object) -> float:
    """Unix time in seconds at which the pod was made; minus infinity when unknown."""
    stamp = pod["metadata"].get("creationTimestamp")
    return datetime.datetime.fromisoformat(str(stamp)).timestamp() if stamp else float("-inf")


def ended_at(pod: Object) -> float:
    """Unix time in seconds of the end of training in that pod, as near as it is known."""
    taken = disruption.since(pod)
    if taken:
        return datetime.datetime.fromisoformat(taken).timestamp()
    words = outcome(pod)
    if words and words.ended:
        return words.ended
    ended = termination(pod)
    stamp = (ended.get("finishedAt") if ended else None) or max(_changes(pod), default=None)
    return datetime.datetime.fromisoformat(stamp).timestamp() if stamp else created_at(pod)


def moment(seconds: float) -> datetime.datetime:
    """A Unix time as it stands in a status: whole seconds, UTC."""
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)


def _changes(pod: Object) -> Iterator[str]:
    for condition in pod.get("status", {}).get("conditions", ()):
        if condition.get("lastTransitionTime"):
            yield str(condition["lastTransitionTime"])


def follows(pod: Object) -> bool:
    """Whether the pod ended only because of another worker, or by command."""
    ended = termination(pod)
    code = ended.get("exitCode") if ended else None
    return contract.is_secondary(code) and disruption.told(pod) is None
