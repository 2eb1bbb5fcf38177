"""The conditions of a TrainingJob, each with a reason and a sentence."""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kubefit.api.names import ConditionType, Phase
from kubefit.api.v1alpha1 import Condition, ConditionStatus, FailureStatus, TrainingJob
from kubefit.core import diagnose
from kubefit.core.observed import Observed
from kubefit.core.phase import FINAL
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
) -> list[Finding]:
    """What is to be said of an accepted job."""
    found = [
        Finding(
            type=ConditionType.ACCEPTED,
            status=True,
            reason="Accepted",
            message="the specification can be run",
        ),
        _pods_ready(job, observed, ready=ready, phase=phase),
        _progressing(phase),
    ]
    checkpointed = _checkpointed(observed)
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


def _pods_ready(job: TrainingJob, observed: Observed, *, ready: int, phase: Phase) -> Finding:
    wanted = job.spec.workers
    trouble = None if phase in FINAL else diagnose.not_ready(observed.pods)
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


_PROGRESS = {
    Phase.PENDING: "pods wait to be placed on nodes",
    Phase.STARTING: "workers start and meet",
    Phase.RUNNING: "all workers train",
    Phase.RESTARTING: "workers start again after a failure",
    Phase.SUSPENDED: "spec.runPolicy.suspend is true",
    Phase.SUCCEEDED: "the job is over",
    Phase.FAILED: "the job is over",
}


def _progressing(phase: Phase) -> Finding:
    return Finding(
        type=ConditionType.PROGRESSING,
        status=phase is Phase.RUNNING,
        reason=phase.value,
        message=_PROGRESS[phase],
    )
