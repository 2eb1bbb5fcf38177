"""The whole status of a TrainingJob, computed anew at every pass."""

import datetime

from kubefit.api.names import LABEL_JOB, LABEL_ROLE, ROLE_WORKER, ConditionType, Phase
from kubefit.api.v1alpha1 import FailureStatus, Summary, TrainingJob, TrainingJobStatus
from kubefit.core import conditions, objects, workers
from kubefit.core.acceptance import Rejection
from kubefit.core.causes import first_cause
from kubefit.core.observed import Observed
from kubefit.core.phase import FINAL, job_condition, phase_of
from kubefit.core.progress import chief_report, progress, summary


def rejected(
    before: TrainingJobStatus, rejection: Rejection, observed: Observed
) -> TrainingJobStatus:
    """Status of a job that is not run."""
    phase = Phase.FAILED if rejection.permanent else Phase.PENDING
    found = [_not_accepted(rejection)]
    failure = None
    if rejection.permanent:
        failure = FailureStatus(reason=rejection.reason, message=rejection.message)
        failed = conditions.Finding(
            type=ConditionType.FAILED,
            status=True,
            reason=rejection.reason,
            message=rejection.message,
        )
        found.append(failed)
    generation = int(observed.resource["metadata"].get("generation", 0))
    return before.model_copy(
        update={
            "observed_generation": generation,
            "phase": phase,
            "failure": failure,
            "completion_time": (before.completion_time or observed.now)
            if rejection.permanent
            else None,
            "summary": Summary(),
            "conditions": conditions.dated(
                found, before.conditions, now=observed.now, generation=generation
            ),
        }
    )


def accepted(
    job: TrainingJob,
    before: TrainingJobStatus,
    observed: Observed,
    *,
    refusal: Rejection | None = None,
) -> TrainingJobStatus:
    """Status of a job that is run; a refused change of it is told beside what it does."""
    phase = phase_of(job.model_copy(update={"status": before}), observed)
    latest = workers.latest(observed.pods)
    ready = sum(workers.ready(pod) for pod in latest.values())
    failure = _failure(phase, observed, before)
    report = chief_report(observed)
    found = before.progress
    if report is not None:
        found = progress(report, ranks=job.spec.workers, phase=phase)
    found_conditions = conditions.findings(job, observed, phase=phase, ready=ready, failure=failure)
    if refusal is not None:
        found_conditions[0] = _not_accepted(refusal)
    return TrainingJobStatus(
        observed_generation=job.metadata.generation,
        phase=phase,
        workers=job.spec.workers,
        ready_workers=ready,
        restarts=max(before.restarts, _charged(observed), _in_place(observed)),
        start_time=before.start_time or _start_time(observed),
        completion_time=(before.completion_time or observed.now) if phase in FINAL else None,
        progress=found,
        evaluation=report.evaluation if report and report.evaluation else before.evaluation,
        failure=failure,
        tensorboard=objects.tensorboard_url(job) if job.spec.tensorboard.enabled else None,
        selector=f"{LABEL_JOB}={job.metadata.name},{LABEL_ROLE}={ROLE_WORKER}",
        summary=summary(ready, job.spec.workers, found),
        conditions=conditions.dated(
            found_conditions,
            before.conditions,
            now=observed.now,
            generation=job.metadata.generation,
        ),
    )


def _not_accepted(rejection: Rejection) -> conditions.Finding:
    return conditions.Finding(
        type=ConditionType.ACCEPTED,
        status=False,
        reason=rejection.reason,
        message=rejection.message,
    )


def _failure(phase: Phase, observed: Observed, before: TrainingJobStatus) -> FailureStatus | None:
    """The first cause; what the Job controller says only where no pod tells more."""
    if phase is Phase.SUCCEEDED:
        return None
    found = first_cause(observed.pods) or _last_cause(observed) or before.failure
    ended = job_condition(observed.job, "Failed")
    if ended is None:
        return found
    if ended.get("reason") == "DeadlineExceeded":
        message = "the job ran longer than spec.runPolicy.activeDeadlineSeconds"
        return FailureStatus(reason="DeadlineExceeded", message=message)
    if found is not None:
        return found
    return FailureStatus(
        reason=str(ended.get("reason", "Failed")), message=str(ended.get("message", ""))
    )


def _last_cause(observed: Observed) -> FailureStatus | None:
    """What the agents restarted for; pods tell nothing of it."""
    cause = observed.chief.last_cause if observed.chief else None
    if cause is None:
        return None
    return FailureStatus(
        reason=cause.reason,
        message=f"rank {cause.rank}: {cause.message}",
        pod=next(
            (p["metadata"]["name"] for p in observed.pods if workers.rank(p) == cause.rank), None
        ),
        rank=cause.rank,
        exit_code=cause.exit_code,
    )


def _in_place(observed: Observed) -> int:
    return observed.chief.restarts if observed.chief else 0


def _charged(observed: Observed) -> int:
    """Failures that the Job controller has counted; the one that ends a job restarts nothing."""
    if observed.job is None:
        return 0
    counted = int(observed.job.get("status", {}).get("failed", 0))
    over = job_condition(observed.job, "Failed") or job_condition(observed.job, "FailureTarget")
    return max(0, counted - 1) if over else counted


def _start_time(observed: Observed) -> datetime.datetime | None:
    began = observed.job.get("status", {}).get("startTime") if observed.job else None
    return datetime.datetime.fromisoformat(str(began)) if began else None
