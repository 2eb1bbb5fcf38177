"""How often pods of a job have failed: workers that fail together are one gang, charged once."""

from collections.abc import Iterable

from kubefit.api.contract import meaning_of
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.core import disruption, workers
from kubefit.core.observed import Object, Observed

_TOGETHER_SECONDS = 60.0
"""From the first end to the last: a node that dies takes all its workers, a step their memory."""


def began(pods: Iterable[Object]) -> list[float]:
    """Unix times in seconds of the first failure of each incident, in order.

    A rank that fails again is another incident. What the Job controller does not count is none.
    """
    found: list[float] = []
    ranks: set[int | None] = set()
    for time, rank in sorted((workers.ended_at(pod), workers.rank(pod)) for pod in charged(pods)):
        if not found or rank in ranks or time > found[-1] + _TOGETHER_SECONDS:
            found.append(time)
            ranks = set()
        ranks.add(rank)
    return found


def charged(pods: Iterable[Object]) -> list[Object]:
    """Failed pods after which the rank is to be tried again, and that nobody took away."""
    return [pod for pod in pods if workers.phase(pod) == "Failed" and _is_charged(pod)]


def exhausted(job: TrainingJob, observed: Observed) -> bool:
    """Whether there were more of late than the job may have."""
    policy = job.spec.run_policy
    since = observed.now.timestamp() - policy.restart_window_seconds
    return sum(time > since for time in began(observed.pods)) > policy.max_restarts


def _is_charged(pod: Object) -> bool:
    if disruption.told(pod) is not None:
        return False
    ended = workers.termination(pod)
    meaning = meaning_of(ended.get("exitCode")) if ended else None
    return meaning is None or meaning.charged
