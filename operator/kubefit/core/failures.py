"""The failures of a job, of which its status keeps the last ones: each by its first cause."""

import datetime

from kubefit.api.contract import EXIT_MEANINGS, Cause
from kubefit.api.names import Phase
from kubefit.api.v1alpha1 import MAX_FAILURES, FailureStatus, TrainingJob, TrainingJobStatus
from kubefit.core import workers
from kubefit.core.causes import first_cause, last_lines
from kubefit.core.observed import Object, Observed
from kubefit.core.phase import AT_REST, FINAL, failed

_FOLLOWS = frozenset(meaning.reason for meaning in EXIT_MEANINGS.values() if meaning.secondary)
"""Reasons that have another one behind them."""
_CLOCKS_DIFFER = datetime.timedelta(minutes=5)


def kept(
    job: TrainingJob,
    before: TrainingJobStatus,
    observed: Observed,
    *,
    phase: Phase,
    late: FailureStatus | None = None,
) -> list[FailureStatus]:
    """Those that were kept and the one that shows now, newest last; `late` ends the job."""
    records = list(before.failures)
    if phase in AT_REST or phase is Phase.SUCCEEDED:  # pods are told to stop, or are done
        return records
    shown = _in_processes(observed) or first_cause(_wanted(job, observed)) or _told(observed)
    if shown is not None:
        records = _with(records, _in_attempt(shown, observed, before))
    if phase is Phase.FAILED and before.phase not in FINAL:
        end = late or _end(observed, known=bool(records))
        records = records if end is None else [*records, end][-MAX_FAILURES:]
    return records


def _with(records: list[FailureStatus], found: FailureStatus) -> list[FailureStatus]:
    """With a failure that is new, or that turns out to have come before the last one."""
    if any(_same(found, record) for record in records):
        return records
    last = records[-1] if records else None
    if last is not None and last.attempt is not None and found.attempt == last.attempt:
        if found.reason in _FOLLOWS:
            return records
        if last.reason in _FOLLOWS:
            return [*records[:-1], found]
    if last is None or _came_after(found, last):
        return [*records, found][-MAX_FAILURES:]
    earlier = records[-2] if len(records) > 1 else None
    if found.reason in _FOLLOWS or (earlier and not _came_after(found, earlier)):
        return records
    return [*records[:-1], found]


def _same(one: FailureStatus, other: FailureStatus) -> bool:
    """Not by the pod: the one that an agent tells of may have been replaced since."""
    return (one.rank, one.time, one.reason) == (other.rank, other.time, other.reason)


def _came_after(one: FailureStatus, other: FailureStatus) -> bool:
    """By the attempts where they are near each other in time, for clocks of nodes differ.

    Only there: who clears the volume has the attempts counted from 1 again.
    """
    near = abs(_time(one) - _time(other)) < _CLOCKS_DIFFER
    if near and one.attempt is not None and other.attempt is not None:
        return (one.attempt, _time(one)) > (other.attempt, _time(other))
    return _time(one) > _time(other)


def _time(failure: FailureStatus) -> datetime.datetime:
    return failure.time or datetime.datetime.min.replace(tzinfo=datetime.UTC)


def _wanted(job: TrainingJob, observed: Observed) -> tuple[Object, ...]:
    """Without the pods of ranks that a smaller job has no longer, which are told to stop."""
    ranks = range(job.spec.workers)
    return tuple(pod for pod in observed.pods if workers.rank(pod) in ranks)


def _in_attempt(
    failure: FailureStatus, observed: Observed, before: TrainingJobStatus
) -> FailureStatus:
    """With the attempt that it ended: the one under way, unless that began with its end."""
    chief = observed.chief
    if failure.attempt is not None:
        return failure
    attempt = chief.attempt if chief else before.attempt
    cause = chief.last_cause if chief else None
    if cause is not None and cause.time is not None and failure.time is not None:
        attempt = cause.attempt if failure.time.timestamp() <= cause.time else attempt
    return failure.model_copy(update={"attempt": attempt})


def _in_processes(observed: Observed) -> FailureStatus | None:
    """What the agents restarted for, when it came after every failure of a pod."""
    told = _told(observed)
    cause = observed.chief.last_cause if observed.chief else None
    if told is None or cause is None or cause.time is None or told.reason in _FOLLOWS:
        return None
    ended = [workers.ended_at(pod) for pod in observed.pods if workers.phase(pod) == "Failed"]
    return told if cause.time > max(ended, default=0.0) else None


def _told(observed: Observed) -> FailureStatus | None:
    """What the agents restarted for; pods tell nothing of it."""
    cause = observed.chief.last_cause if observed.chief else None
    if cause is None:
        return None
    pod = _pod_at(cause, observed)
    called = workers.called(pod) if pod else f"rank {cause.rank}"
    return FailureStatus(
        reason=cause.reason,
        message=f"{called}: {cause.message}",
        pod=pod["metadata"]["name"] if pod else None,
        rank=cause.rank,
        exit_code=cause.exit_code,
        attempt=cause.attempt,
        time=workers.moment(cause.time) if cause.time else None,
        details=last_lines(cause.details),
    )


def _pod_at(cause: Cause, observed: Observed) -> Object | None:
    """The pod that the rank had then."""
    pods = observed.pods
    if cause.time is not None:
        pods = tuple(pod for pod in pods if workers.created_at(pod) <= cause.time)
    return workers.latest(pods).get(cause.rank)


def _end(observed: Observed, *, known: bool) -> FailureStatus | None:
    """Why the Job controller ended the job, where no failure that is known tells it."""
    ended = failed(observed.job)
    if ended is None:
        return None
    reason, message = str(ended.get("reason", "Failed")), str(ended.get("message", ""))
    if reason == "DeadlineExceeded":
        message = "the job ran longer than spec.runPolicy.activeDeadlineSeconds"
    elif known:
        return None
    return FailureStatus(reason=reason, message=message, time=observed.now)
