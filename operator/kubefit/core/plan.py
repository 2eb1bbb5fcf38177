"""From what was observed to what is to be done: the one decision of the operator."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from kubefit.api.names import CONTROLLER, ConditionType, Phase
from kubefit.api.v1alpha1 import ConditionStatus, TrainingJob, TrainingJobStatus
from kubefit.core import deadlines, objects, uncreated, unstarted, workers
from kubefit.core import status as statuses
from kubefit.core.acceptance import Rejection, accept
from kubefit.core.bounds import bounded
from kubefit.core.desired import (
    change,
    desired,
    digest,
    ending,
    lasting,
    outdated,
    up_to_date,
)
from kubefit.core.observed import Object, Observed
from kubefit.core.phase import AT_REST, FINAL, failed, job_condition

_POLL_SECONDS = 2.0
_LOOK_AGAIN_SECONDS = 30.0
_REFUSED_AGAIN_SECONDS = 15.0
"""The same write would be refused again, until somebody changes something else."""
_UNMADE_SECONDS = 5.0
"""Of a Job that lacks pods, which the API server may refuse, or containers, as a node may.

The longer that lasts, the less often: where a thousand jobs wait, all wait long.
"""
_PROGRESS_WAITS_SECONDS = 5.0
_COUNTS_WAIT_SECONDS = 15.0
"""Pods get ready and end one after the other: the phase that follows tells their number too."""
_COUNTS = ("Waiting", "AllReady")
"""Reasons of the condition PodsReady that only say how many are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An Event to publish about the TrainingJob."""

    reason: str
    message: str
    warning: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done, in this order; an empty plan writes nothing."""

    secret: Object | None = None
    """To be created with a random token in it, unless it exists."""
    apply: tuple[Object, ...] = ()
    """Objects to create, or to apply on the server's side where they are there."""
    remove: tuple[Object, ...] = ()
    """Children that are no longer wanted."""
    change: Object | None = None
    """Changed fields of the existing Job."""
    delete: bool = False
    """Delete the TrainingJob."""
    status: Object | None = None
    """The whole status, when it differs from what is stored."""
    event: Event | None = None
    waits: float = 0.0
    """So many seconds the status may wait for what follows, as only numbers of it have changed."""
    asks_chief: bool = False
    """Rank 0 is asked how far training is, each time."""
    requeue_after: float | None = None
    """Look again after so many seconds even when nothing happens."""
    phase: Phase | None = None
    finished: Mapping[str, str] = field(default_factory=dict)
    """`result` and `reason` when the job has just reached its end."""


def plan(observed: Observed) -> Plan:
    """Decides; the same observation gives the same plan."""
    if observed.resource["spec"].get("managedBy", CONTROLLER) != CONTROLLER:
        return Plan()
    before = stored_status(observed.resource)
    if before.phase in FINAL:
        return _finished(observed, before)
    found = accept(observed)
    if isinstance(found, Rejection) and not _stands(found, observed):
        if found.hands_off and _goes_on(before, observed):
            kept = statuses.untouched(before, found, observed)
            return _with_status(Plan(), before, kept, observed)
        halt = _stop(observed) if found.permanent else Plan()
        rejected = statuses.rejected(before, found, observed)
        return _with_status(halt, before, rejected, observed)
    refusal = found if isinstance(found, Rejection) else None
    job = found.job if isinstance(found, Rejection) else found
    if job is None:
        raise ValueError("a job that cannot be read is rejected for good")
    after = statuses.accepted(job, before, observed, refusal=refusal)
    if after.phase in FINAL:
        return _with_status(_stop(observed), before, after, observed)
    held = refusal is not None and (refusal.hands_off or observed.job is None)
    waits = held or observed.refusal
    if waits:
        kept = after.model_copy(update={"tensorboard": before.tensorboard})
        return _with_status(Plan(), before, kept, observed)
    return _with_status(_writes(job, observed, before), before, after, observed)


def stored_status(resource: Object) -> TrainingJobStatus:
    """The stored status as far as this version knows it; one that cannot be read counts as none."""
    try:
        return TrainingJobStatus.model_validate(resource.get("status") or {}, extra="ignore")
    except ValidationError:
        return TrainingJobStatus()


def _finished(observed: Observed, before: TrainingJobStatus) -> Plan:
    """A job that is over stays as it is until its time to live has passed."""
    halt = _stop(observed) if before.phase is Phase.FAILED else Plan()
    generation = int(observed.resource["metadata"].get("generation", 0))
    if before.observed_generation != generation:
        seen = before.model_copy(update={"observed_generation": generation})
        return _with_status(halt, before, seen, observed)
    left = deadlines.to_live(observed, before)
    if left is not None and left <= 0:
        return Plan(delete=True, requeue_after=_REFUSED_AGAIN_SECONDS, phase=before.phase)
    return Plan(remove=halt.remove, requeue_after=left, phase=before.phase)


def _stands(found: Rejection, observed: Observed) -> bool:
    """Whether the job is one all the same: it runs already, or is not to run for now."""
    if found.permanent or found.job is None:
        return False
    return observed.job is not None or found.job.spec.run_policy.suspend


def _goes_on(before: TrainingJobStatus, observed: Observed) -> bool:
    """Whether a job whose specification cannot be read runs or rests on as it did."""
    suspend = observed.resource["spec"].get("runPolicy", {}).get("suspend", False)
    return observed.job is not None or (before.phase is Phase.SUSPENDED and suspend)


def _stop(observed: Observed) -> Plan:
    """Workers of a job that is over do not train on unwatched."""
    over = job_condition(observed.job, "Complete") or failed(observed.job)
    return Plan(remove=() if over else ending(observed.job, observed.defaults))


def _writes(job: TrainingJob, observed: Observed, before: TrainingJobStatus) -> Plan:
    existing, wanted = observed.job, digest(job)
    unwanted = before.tensorboard is not None and not job.spec.tensorboard.enabled
    remove = objects.tensorboard(job, observed.defaults) if unwanted else ()
    if job.spec.run_policy.suspend:
        # A volume that is created can be filled while the job is suspended. First of all the
        # workers end: an object that is refused must not keep them.
        idle = existing is not None or _settled(job, before)
        apply = () if idle else lasting(job, observed.defaults)
        return Plan(apply=apply, remove=(*remove, *ending(existing, observed.defaults)))
    rested = before.phase is Phase.SUSPENDED
    if existing and outdated(existing, job, spec_digest=wanted, was_suspended=rested):
        return Plan(remove=(*remove, *ending(existing, observed.defaults)))
    if existing is not None and up_to_date(existing, job, spec_digest=wanted):
        return Plan(remove=remove)
    *others, workers = desired(
        job, observed.defaults, spec_digest=wanted, pod_restarts=before.pod_restarts or 0
    )
    if existing is None:
        return Plan(secret=objects.token(job), apply=(*others, workers), remove=remove)
    return Plan(
        secret=objects.token(job),
        apply=tuple(others),
        change=change(existing, job, spec_digest=wanted),
        remove=remove,
    )


def _settled(job: TrainingJob, before: TrainingJobStatus) -> bool:
    """Whether the API server took what the job, as it is specified now, has while suspended."""
    accepted = any(
        condition.type is ConditionType.ACCEPTED and condition.status is ConditionStatus.TRUE
        for condition in before.conditions
    )
    return accepted and before.observed_generation == job.metadata.generation


def _with_status(
    writes: Plan, before: TrainingJobStatus, after: TrainingJobStatus, observed: Observed
) -> Plan:
    after = bounded(after)
    wire = after.model_dump(mode="json", by_alias=True, exclude_none=True)
    same = wire == before.model_dump(mode="json", by_alias=True, exclude_none=True)
    moved = after.phase is not before.phase
    ended = moved and after.phase in FINAL
    reason = after.failure.reason if after.failure else "Succeeded"
    return Plan(
        secret=writes.secret,
        apply=writes.apply,
        change=writes.change,
        remove=writes.remove,
        status=None if same else wire,
        event=_event(before, after) if moved else None,
        waits=_waits(before, after, observed),
        asks_chief=_asks_chief(after, observed),
        requeue_after=_again(after, observed),
        phase=after.phase,
        finished={"result": str(after.phase), "reason": reason} if ended else {},
    )


def _asks_chief(after: TrainingJobStatus, observed: Observed) -> bool:
    """Whether there is a chief to ask for its progress."""
    return after.phase not in FINAL | AT_REST and workers.chief_address(observed.pods) is not None


def _again(after: TrainingJobStatus, observed: Observed) -> float | None:
    """When to look again: chiefs are asked, waits are looked into, deadlines are kept."""
    waits = [deadlines.to_live(observed, after), deadlines.to_start(observed, after)]
    if observed.refusal:
        waits.append(_REFUSED_AGAIN_SECONDS)
    elif _asks_chief(after, observed):
        waits.append(_POLL_SECONDS)
    elif after.phase not in FINAL | AT_REST:
        waits.append(_unmade_again(observed, after))
    return min((max(0.0, wait) for wait in waits if wait is not None), default=None)


def _unmade_again(observed: Observed, after: TrainingJobStatus) -> float:
    """When to look again at what is not made yet: a quarter of the time that it has lasted."""
    job, pods = observed.job, observed.pods
    begun = [unstarted.since(pods), uncreated.since(job, pods) if job else None]
    lasts = [observed.now.timestamp() - since for since in begun if since is not None]
    held = job is not None and job.get("spec", {}).get("suspend")
    lacks = job is not None and not held and len(pods) < (after.workers or 0)
    if not lasts and not lacks:
        return _LOOK_AGAIN_SECONDS
    return min(max(_UNMADE_SECONDS, min(lasts, default=0.0) / 4), _LOOK_AGAIN_SECONDS)


def _waits(before: TrainingJobStatus, after: TrainingJobStatus, observed: Observed) -> float:
    """How long a status may wait for what follows.

    That a wait has begun is told at once, and that it is over where a deadline would end the job.
    """
    begins = after.wait_start_time is not None
    told = begins or deadlines.bounds_start(observed)
    moved = told and after.wait_start_time != before.wait_start_time
    if moved or _news(before) != _news(after):
        return 0.0
    counted = before.progress == after.progress
    return _COUNTS_WAIT_SECONDS if counted else _PROGRESS_WAITS_SECONDS


def _news(status: TrainingJobStatus) -> tuple[object, ...]:
    """What of a status is told at once."""
    told = {one.type: (one.status, one.reason) for one in status.conditions}
    if told.get(ConditionType.PODS_READY, ("", ""))[1] in _COUNTS:
        del told[ConditionType.PODS_READY]
    return (
        status.phase,
        status.failure,
        status.failures,
        status.restarts,
        status.observed_generation,
        told,
    )


def _event(before: TrainingJobStatus, after: TrainingJobStatus) -> Event:
    """One Event per change of phase."""
    bad = after.phase in (Phase.FAILED, Phase.RESTARTING)
    if bad and after.failure:
        message = after.failure.message
    else:
        message = f"was {before.phase}, now {after.phase}" if before.phase else str(after.phase)
    return Event(reason=str(after.phase), message=message, warning=bad)
