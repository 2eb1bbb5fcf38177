"""The workers' pods as ranks: the latest of each, which are ready, what they last said."""

import datetime
from collections.abc import Iterable
from typing import cast

from pydantic import ValidationError

from kubefit.api.contract import Outcome, meaning_of
from kubefit.api.names import CONTAINER, FETCH_CONTAINER
from kubefit.core.observed import Object

_INDEX = "batch.kubernetes.io/job-completion-index"


def rank(pod: Object) -> int | None:
    """The pod's rank; None for a pod that carries no completion index."""
    index = pod["metadata"].get("annotations", {}).get(_INDEX)
    return None if index is None else int(index)


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
    """Unix time in seconds of the end of training in that pod; infinite when unknown."""
    words = outcome(pod)
    if words and words.ended:
        return words.ended
    ended = termination(pod)
    if ended and ended.get("finishedAt"):
        return datetime.datetime.fromisoformat(str(ended["finishedAt"])).timestamp()
    return float("inf")


def is_secondary(pod: Object) -> bool:
    """Whether the pod ended only because of another worker, or by command."""
    ended = termination(pod)
    code = ended.get("exitCode") if ended else None
    meaning = meaning_of(code)
    return meaning is not None and meaning.secondary
