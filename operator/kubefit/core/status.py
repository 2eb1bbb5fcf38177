"""The whole status of a TrainingJob, computed anew at every pass."""

import datetime

from kubefit.api.contract import TrainerReport
from kubefit.api.names import LABEL_JOB, LABEL_ROLE, ROLE_WORKER, ConditionType, Phase
from kubefit.api.v1alpha1 import (
    MAX_FAILURES,
    FailureStatus,
    Summary,
    TrainingJob,
    TrainingJobStatus,
)
from kubefit.core import conditions, deadlines, diagnose, failures, objects, workers
from kubefit.core.acceptance import Rejection
from kubefit.core.desired import earlier_pod_restarts
from kubefit.core.observed import Object, Observed
from kubefit.core.phase import FINAL, in_place, job_condition, phase_of
from kubefit.core.progress import chief_report, progress, summary


def rejected(
    before: TrainingJobStatus, rejection: Rejection, observed: Observed
) -> TrainingJobStatus:
    """Status of a job that is not run."""
    job, ready = rejection.job, _ready(observed)
    asked = job.spec.workers if job else before.workers
    phase, failure = Phase.PENDING, None
    if rejection.permanent:
        failure = FailureStatus(
            reason=rejection.reason, message=rejection.message, time=observed.now
        )
    waiting = deadlines.waiting_since(before, phase, observed)
    failure = failure or deadlines.missed_start(observed, waiting, cause=rejection.message)
    found, kept = conditions.of_rejected(rejection, before.conditions), before.failures
    if failure is not None:
        phase, waiting = Phase.FAILED, None
        kept = [*kept, failure][-MAX_FAILURES:]
        failed = conditions.Finding(
            type=ConditionType.FAILED, status=True, reason=failure.reason, message=failure.message
        )
        found.append(failed)
    generation = int(observed.resource["metadata"].get("generation", 0))
    return before.model_copy(
        update={
            "observed_generation": generation,
            "phase": phase,
            "failure": failure or before.failure,
            "failures": kept,
            "wait_start_time": waiting,
            "completion_time": None if failure is None else observed.now,
            "workers": asked,
            "ready_workers": ready,
            "summary": summary(ready, asked, before.progress) if asked else Summary(),
            "conditions": conditions.dated(
                found, before.conditions, now=observed.now, generation=generation
            ),
        }
    )


def untouched(
    before: TrainingJobStatus, rejection: Rejection, observed: Observed
) -> TrainingJobStatus:
    """Status of a job that goes on though its specification cannot be read."""
    generation = int(observed.resource["metadata"].get("generation", 0))
    found = conditions.dated(
        [conditions.not_accepted(rejection)],
        before.conditions,
        now=observed.now,
        generation=generation,
    )
    others = [c for c in before.conditions if c.type is not ConditionType.ACCEPTED]
    return before.model_copy(
        update={
            "observed_generation": generation,
            "phase": before.phase or Phase.PENDING,
            "ready_workers": _ready(observed),
            "conditions": [*found, *others],
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
    waiting = deadlines.waiting_since(before, phase, observed)
    late = None
    if not _may_train(job, observed):
        late = deadlines.missed_start(observed, waiting, cause=_wait(job, observed))
    if late is not None:
        phase, waiting = Phase.FAILED, None
    ready = _ready(observed)
    kept = failures.kept(job, before, observed, phase=phase, late=late)
    failure = kept[-1] if kept and phase is not Phase.SUCCEEDED else None
    report = chief_report(observed)
    lost = _pod_restarts(before, observed)
    ranks = observed.chief.workers if observed.chief else job.spec.workers
    found = progress(report, before.progress, ranks=ranks, phase=phase)
    found_conditions = conditions.findings(
        job,
        observed,
        phase=phase,
        ready=ready,
        failure=failure,
        before=before.conditions,
    )
    if refusal is not None:
        found_conditions[0] = conditions.not_accepted(refusal)
    return TrainingJobStatus(
        observed_generation=job.metadata.generation,
        phase=phase,
        workers=job.spec.workers,
        ready_workers=ready,
        restarts=lost + _in_place(before, observed, lost),
        pod_restarts=lost,
        attempt=observed.chief.attempt if observed.chief else before.attempt,
        wait_start_time=waiting,
        start_time=before.start_time or _start_time(observed),
        completion_time=(before.completion_time or observed.now) if phase in FINAL else None,
        progress=found,
        evaluation=report.evaluation if report and report.evaluation else before.evaluation,
        warnings=_warnings(report, before, observed),
        failure=failure,
        failures=kept,
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


def _warnings(
    report: TrainerReport | None, before: TrainingJobStatus, observed: Observed
) -> list[str]:
    """Those of the attempt under way; last words may leave out what was told before them."""
    living = observed.chief is not None and observed.chief.report is not None
    if report is not None and (living or report.warnings):
        return report.warnings
    return before.warnings


def _ready(observed: Observed) -> int:
    return sum(workers.ready(pod) for pod in workers.latest(observed.pods).values())


def _may_train(job: TrainingJob, observed: Observed) -> bool:
    """Whether all is in place for it, and the chief, which alone knows, does not answer."""
    return observed.chief is None and in_place(job, observed)


def _wait(job: TrainingJob, observed: Observed) -> str:
    """What a job that does not train waits for."""
    chief, pods = observed.chief, workers.latest(observed.pods)
    trouble = diagnose.trouble(observed)
    if trouble is not None:
        return trouble[1]
    if chief is not None and chief.waiting_for:
        return f"{workers.called(pods[0])}: waits for {chief.waiting_for}"
    return f"{_ready(observed)} of {job.spec.workers} workers are ready"


def _pod_restarts(before: TrainingJobStatus, observed: Observed) -> int:
    """Those of pods, which each Job counts from zero."""
    job = observed.job
    found = 0 if job is None else earlier_pod_restarts(job) + _charged(job)
    return max(before.pod_restarts or 0, found)


def _in_place(before: TrainingJobStatus, observed: Observed, lost: int) -> int:
    """Those within pods, which the agents go on counting in the next Job."""
    # An earlier operator told no more than the sum.
    of_pods = lost if before.pod_restarts is None else before.pod_restarts
    told = observed.chief.restarts if observed.chief else 0
    return max(told, before.restarts - of_pods)


def _charged(job: Object) -> int:
    """Failures that the Job controller has counted; the one that ends a job restarts nothing."""
    counted = int(job.get("status", {}).get("failed", 0))
    over = job_condition(job, "Failed") or job_condition(job, "FailureTarget")
    return max(0, counted - 1) if over else counted


def _start_time(observed: Observed) -> datetime.datetime | None:
    began = observed.job.get("status", {}).get("startTime") if observed.job else None
    return datetime.datetime.fromisoformat(str(began)) if began else None
