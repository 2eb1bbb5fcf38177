"""How many seconds are left of what a job may take; None where nothing ends it."""

import datetime

from kubefit.api.names import Phase
from kubefit.api.v1alpha1 import FailureStatus, TrainingJobStatus
from kubefit.core import workers
from kubefit.core.observed import Observed
from kubefit.core.phase import AT_REST, FINAL, trains


def to_live(observed: Observed, status: TrainingJobStatus) -> float | None:
    """Until a job that is over is deleted."""
    since = status.completion_time if status.phase in FINAL else None
    return _left(observed, "ttlSecondsAfterFinished", since)


def to_start(observed: Observed, status: TrainingJobStatus) -> float | None:
    """Until a job that does not train yet ends as failed; None also where that is put off."""
    left = _left(observed, "startDeadlineSeconds", status.wait_start_time)
    return left if left is not None and left > 0 else None


def bounds_start(observed: Observed) -> bool:
    """Whether a job that does not train in time ends."""
    return _policy(observed, "startDeadlineSeconds") is not None


def waiting_since(
    before: TrainingJobStatus, phase: Phase, observed: Observed
) -> datetime.datetime | None:
    """Since when a job wants to train and has not; one that has trained restarts, and waits not."""
    if phase in AT_REST | FINAL or phase is Phase.RUNNING:
        return None
    since = before.wait_start_time
    if since is None and _begins_to_wait(before, observed):
        since = observed.now
    return None if since is None or _has_trained(observed, since) else since


def _begins_to_wait(before: TrainingJobStatus, observed: Observed) -> bool:
    """Whether nothing of the job can have trained yet; that of another Job is not of this one.

    An operator that noted no waits may have left a job that waits.
    """
    if before.phase is None or before.phase in AT_REST or observed.job is None:
        return True
    untried = before.progress is None and not before.failures
    return before.phase in (Phase.PENDING, Phase.STARTING) and untried


def _has_trained(observed: Observed, since: datetime.datetime) -> bool:
    """Whether the workers tell so, though the operator may not have looked while they did.

    Not by the number of the attempt, which the volume counts on from earlier jobs.
    """
    chief = observed.chief
    if chief is not None:
        # An agent of an earlier version says only why its last attempt ended.
        did = chief.last_cause is not None if chief.has_trained is None else chief.has_trained
        if did or trains(chief.report):
            return True
    ended = (pod for pod in observed.pods if workers.ended_at(pod) >= since.timestamp())
    words = (workers.outcome(pod) for pod in ended)
    return any(said is not None and trains(said.report) for said in words)


def missed_start(
    observed: Observed, since: datetime.datetime | None, *, cause: str
) -> FailureStatus | None:
    """The failure of a job that has waited too long; its `cause` is that of the wait."""
    left = _left(observed, "startDeadlineSeconds", since)
    if left is None or left > 0:
        return None
    message = (
        f"the job does not train after the {_policy(observed, 'startDeadlineSeconds')} s of"
        f" spec.runPolicy.startDeadlineSeconds: {cause}"
    )
    return FailureStatus(reason="StartDeadlineExceeded", message=message, time=observed.now)


def _left(observed: Observed, field: str, since: datetime.datetime | None) -> float | None:
    seconds = _policy(observed, field)
    if seconds is None or since is None:
        return None
    due = since + datetime.timedelta(seconds=seconds)
    return (due - observed.now).total_seconds()


def _policy(observed: Observed, field: str) -> int | None:
    """As it is stored: a specification that can no longer be read still has its deadlines."""
    found: int | None = observed.resource["spec"].get("runPolicy", {}).get(field)
    return found
