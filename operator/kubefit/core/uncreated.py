"""Pods that the Job controller cannot create: only its Events tell."""

import datetime
from collections.abc import Mapping

from kubefit.core import workers
from kubefit.core.events import time
from kubefit.core.observed import Object, Observed

_PATIENCE_SECONDS = 5.0
"""So long a pod may take to be created, before it is asked why there is none."""
_QUOTA = "exceeded quota: "


def overdue(job: Object, pods: tuple[Object, ...], now: datetime.datetime) -> bool:
    """Whether a rank has had no pod for so long that the Events are worth a look."""
    begun = since(job, pods)
    return begun is not None and now.timestamp() >= begun + _PATIENCE_SECONDS


def since(job: Object, pods: tuple[Object, ...]) -> float | None:
    """Unix time in seconds since which a rank has had no pod; None where none lacks one."""
    if job.get("spec", {}).get("suspend"):
        return None
    status = job.get("status", {})
    started = status.get("startTime")
    over = any(c["status"] == "True" for c in status.get("conditions", ()))
    missing = _missing(job, pods)
    if over or not started or not missing:
        return None
    return max([datetime.datetime.fromisoformat(started).timestamp(), *_ends(missing)])


def told(observed: Observed) -> tuple[str, str] | None:
    """Reason and sentence of the newest refusal, when it came after what there was of the pods."""
    if observed.job is None:
        return None
    missing = _missing(observed.job, observed.pods)
    since = max(_ends(missing), default=float("-inf"))
    refusals = [event for event in observed.refused_pods if time(event) >= since]
    if not missing or not refusals:
        return None
    rank = min(missing)
    words = str(max(refusals, key=time).get("message", "")).removeprefix("Error creating: ")
    _, found, quota = words.partition(_QUOTA)
    if found:
        name, _, amounts = quota.partition(",")
        said = f"the quota {name} of the namespace has no room for it ({amounts.strip()})"
        advice = "raise it, lower spec.resources or spec.workers, or wait until others end"
        return "QuotaExceeded", f"rank {rank}: {said}; {advice}"
    return "PodRefused", f"rank {rank}: its pod is refused: {words}"


def _missing(job: Object, pods: tuple[Object, ...]) -> Mapping[int, Object | None]:
    """Ranks without a pod that waits, runs or is done; each with its last one, which failed."""
    latest = workers.latest(pods)
    ranks = range(int(job.get("spec", {}).get("completions", 0)))
    return {
        rank: latest.get(rank)
        for rank in ranks
        if rank not in latest or workers.phase(latest[rank]) == "Failed"
    }


def _ends(missing: Mapping[int, Object | None]) -> list[float]:
    return [workers.ended_at(pod) for pod in missing.values() if pod is not None]
