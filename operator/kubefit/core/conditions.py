"""The conditions of a TrainingJob, each with a reason and a sentence."""

import dataclasses
import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kubefit.api.names import ConditionType, Phase
from kubefit.api.v1alpha1 import Condition, ConditionStatus, FailureStatus, TrainingJob
from kubefit.core import diagnose, queues
from kubefit.core.acceptance import Rejection
from kubefit.core.observed import Observed
from kubefit.core.phase import AT_REST, FINAL, needed
from kubefit.core.progress import chief_report


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A condition without its times."""

    type: ConditionType
    status: bool
    reason: str
    message: str


def dated(
    findings: Iterable[Finding],
    before: Sequence[Condition],
    *,
    now: datetime.datetime,
    generation: int,
) -> list[Condition]:
    """Conditions with their transition times: an unchanged status keeps the time it has."""
    old = {condition.type: condition for condition in before}
    result = []
    for finding in findings:
        status = ConditionStatus.TRUE if finding.status else ConditionStatus.FALSE
        last = old.get(finding.type)
        same = last is not None and last.status is status
        result.append(
            Condition(
                type=finding.type,
                status=status,
                reason=finding.reason,
                message=finding.message,
                last_transition_time=last.last_transition_time if last and same else now,
                observed_generation=generation,
            )
        )
    return result


def findings(
    job: TrainingJob,
    observed: Observed,
    *,
    phase: Phase,
    ready: int,
    failure: FailureStatus | None,
    before: Sequence[Condition] = (),
) -> list[Finding]:
    """What is to be said of an accepted job, of which `before` was said last."""
    found = [
        Finding(
            type=ConditionType.ACCEPTED,
            status=True,
            reason="Accepted",
            message="the specification can be run",
        ),
        _pods_ready(job, observed, ready=ready, phase=phase),
        _progressing(job, observed, phase=phase),
    ]
    checkpointed = _checkpointed(observed) or _kept(ConditionType.CHECKPOINTED, before)
    if checkpointed is not None:
        found.append(checkpointed)
    if phase is Phase.SUCCEEDED:
        message = "all workers finished"
        found.append(
            Finding(type=ConditionType.COMPLETE, status=True, reason="Succeeded", message=message)
        )
    if phase is Phase.FAILED and failure is not None:
        found.append(
            Finding(
                type=ConditionType.FAILED,
                status=True,
                reason=failure.reason,
                message=failure.message,
            )
        )
    return found


def of_rejected(rejection: Rejection, before: Sequence[Condition]) -> list[Finding]:
    """What is to be said of a job that is not run; what was said of its checkpoints stays true.

    One that was never run says nothing of its pods.
    """
    found = [not_accepted(rejection)]
    said = {condition.type for condition in before}
    for kind in (ConditionType.PODS_READY, ConditionType.PROGRESSING):
        if kind in said:
            found.append(dataclasses.replace(found[0], type=kind))
    checkpointed = _kept(ConditionType.CHECKPOINTED, before)
    return found if checkpointed is None else [*found, checkpointed]


def not_accepted(rejection: Rejection) -> Finding:
    """That the job as it is specified now is not run."""
    return Finding(
        type=ConditionType.ACCEPTED,
        status=False,
        reason=rejection.reason,
        message=rejection.message,
    )


def _pods_ready(job: TrainingJob, observed: Observed, *, ready: int, phase: Phase) -> Finding:
    wanted = job.spec.workers
    trouble = None if phase in FINAL | AT_REST else diagnose.trouble(observed)
    if phase is Phase.QUEUED:
        trouble = "Queued", _queued(job)
    reason, message = trouble or _ready_count(ready, wanted, phase)
    return Finding(
        type=ConditionType.PODS_READY,
        status=ready == wanted,
        reason=reason,
        message=message,
    )


def _ready_count(ready: int, wanted: int, phase: Phase) -> tuple[str, str]:
    if phase in FINAL:
        return "Finished", "the job is over"
    if phase is Phase.SUSPENDED:
        return "Suspended", "spec.runPolicy.suspend is true"
    if ready == wanted:
        return "AllReady", f"{ready} of {wanted} workers are ready"
    return "Waiting", f"{ready} of {wanted} workers are ready"


def _checkpointed(observed: Observed) -> Finding | None:
    report = chief_report(observed)
    told = report.checkpoint if report else None
    if told is None:
        return None
    if told.failing:
        return Finding(
            type=ConditionType.CHECKPOINTED,
            status=False,
            reason="CannotBeWritten",
            message=told.failing,
        )
    return Finding(
        type=ConditionType.CHECKPOINTED,
        status=True,
        reason="Written",
        message=f"step {told.step} is on the volume; it took {told.seconds:.1f} s to write",
    )


def _kept(kind: ConditionType, before: Sequence[Condition]) -> Finding | None:
    """What was said before, where nothing is known since: a trainer that starts has no report."""
    return next(
        (
            Finding(
                type=kind,
                status=condition.status is ConditionStatus.TRUE,
                reason=condition.reason,
                message=condition.message,
            )
            for condition in before
            if condition.type == kind
        ),
        None,
    )


_PROGRESS = {
    Phase.PENDING: "pods wait to be placed on nodes",
    Phase.STARTING: "workers start and meet",
    Phase.RESTARTING: "workers start again after a failure",
    Phase.SUSPENDED: "spec.runPolicy.suspend is true",
    Phase.SUCCEEDED: "the job is over",
    Phase.FAILED: "the job is over",
}


def _progressing(job: TrainingJob, observed: Observed, *, phase: Phase) -> Finding:
    if phase is Phase.RUNNING:
        message = f"{needed(job, observed)} of {job.spec.workers} workers train"
    else:
        message = _queued(job) if phase is Phase.QUEUED else _PROGRESS[phase]
    return Finding(
        type=ConditionType.PROGRESSING,
        status=phase is Phase.RUNNING,
        reason=phase.value,
        message=message,
    )


def _queued(job: TrainingJob) -> str:
    """Why the Job is suspended though the user did not ask for it."""
    name = queues.queue(job)
    if name:
        return f"waits until the queue {name!r} admits it; Kueue's Workload says what it waits for"
    return "its Job is suspended by another hand than KubeFit's, which alone can let it start"
