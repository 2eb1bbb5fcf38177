"""From what was observed to what is to be done: the one decision of the operator."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from kubefit.api.names import Phase
from kubefit.api.v1alpha1 import TrainingJob, TrainingJobStatus
from kubefit.core import objects
from kubefit.core import status as statuses
from kubefit.core.acceptance import Rejection, accept
from kubefit.core.desired import APPLIED, changes, desired, digest, suspension
from kubefit.core.observed import Object, Observed
from kubefit.core.phase import FINAL

_POLL_SECONDS = 2.0
_LOOK_AGAIN_SECONDS = 30.0


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
    """Objects to apply on the server's side."""
    change: Object | None = None
    """Changed fields of the existing Job."""
    remove: tuple[Object, ...] = ()
    """Children that are no longer wanted."""
    delete: bool = False
    """Delete the TrainingJob."""
    status: Object | None = None
    """The whole status, when it differs from what is stored."""
    event: Event | None = None
    requeue_after: float | None = None
    """Look again after so many seconds even when nothing happens."""
    phase: Phase | None = None
    finished: Mapping[str, str] = field(default_factory=dict)
    """`result` and `reason` when the job has just reached its end."""


def plan(observed: Observed) -> Plan:
    """Decides; the same observation gives the same plan."""
    before = stored_status(observed.resource)
    if before.phase in FINAL:
        return _finished(observed, before)
    found = accept(observed)
    if isinstance(found, Rejection) and (found.permanent or not (found.job and observed.job)):
        return _with_status(
            _halt(found, observed), before, statuses.rejected(before, found, observed)
        )
    refusal = found if isinstance(found, Rejection) else None
    job = found.job if isinstance(found, Rejection) else found
    if job is None:
        raise ValueError("a job that cannot be read is rejected for good")
    after = statuses.accepted(job, before, observed, refusal=refusal)
    writes = Plan() if after.phase in FINAL or observed.refusal else _writes(job, observed, before)
    return _with_status(writes, before, after)


def stored_status(resource: Object) -> TrainingJobStatus:
    """The stored status; one that cannot be read (of another version) counts as none."""
    try:
        return TrainingJobStatus.model_validate(resource.get("status") or {})
    except ValidationError:
        return TrainingJobStatus()


def _finished(observed: Observed, before: TrainingJobStatus) -> Plan:
    """A job that is over stays as it is until its time to live has passed."""
    generation = int(observed.resource["metadata"].get("generation", 0))
    if before.observed_generation != generation:
        seen = before.model_copy(update={"observed_generation": generation})
        return _with_status(Plan(), before, seen)
    policy = observed.resource["spec"].get("runPolicy", {})
    seconds = policy.get("ttlSecondsAfterFinished")
    if seconds is None or before.completion_time is None:
        return Plan(phase=before.phase)
    due = before.completion_time + datetime.timedelta(seconds=seconds)
    left = (due - observed.now).total_seconds()
    if left <= 0:
        return Plan(delete=True, phase=before.phase)
    return Plan(requeue_after=left, phase=before.phase)


def _halt(found: Rejection, observed: Observed) -> Plan:
    """Workers of a job that can never be accepted again do not train on unwatched."""
    stop = found.permanent and observed.job is not None
    return Plan(
        change=suspension(observed.job) if stop and observed.job else None,
        requeue_after=None if found.permanent else _LOOK_AGAIN_SECONDS,
    )


def _writes(job: TrainingJob, observed: Observed, before: TrainingJobStatus) -> Plan:
    wanted = digest(job)
    if observed.job is None:
        children = desired(job, observed.defaults, spec_digest=wanted)
        return Plan(secret=objects.token(job), apply=children)
    if observed.job["metadata"].get("annotations", {}).get(APPLIED) == wanted:
        return Plan()
    *others, change = changes(job, observed.defaults, spec_digest=wanted)
    unwanted = before.tensorboard is not None and not job.spec.tensorboard.enabled
    remove = objects.tensorboard(job, observed.defaults) if unwanted else ()
    return Plan(secret=objects.token(job), apply=tuple(others), change=change, remove=remove)


def _with_status(writes: Plan, before: TrainingJobStatus, after: TrainingJobStatus) -> Plan:
    wire = after.model_dump(mode="json", by_alias=True, exclude_none=True)
    same = wire == before.model_dump(mode="json", by_alias=True, exclude_none=True)
    moved = after.phase is not before.phase
    ended = moved and after.phase in FINAL
    reason = after.failure.reason if after.failure else "Succeeded"
    active = after.phase not in (*FINAL, Phase.SUSPENDED)
    return Plan(
        secret=writes.secret,
        apply=writes.apply,
        change=writes.change,
        remove=writes.remove,
        status=None if same else wire,
        event=_event(before, after) if moved else None,
        requeue_after=writes.requeue_after or (_POLL_SECONDS if active else None),
        phase=after.phase,
        finished={"result": str(after.phase), "reason": reason} if ended else {},
    )


def _event(before: TrainingJobStatus, after: TrainingJobStatus) -> Event:
    """One Event per change of phase."""
    bad = after.phase in (Phase.FAILED, Phase.RESTARTING)
    if bad and after.failure:
        message = after.failure.message
    else:
        message = f"was {before.phase}, now {after.phase}" if before.phase else str(after.phase)
    return Event(reason=str(after.phase), message=message, warning=bad)
