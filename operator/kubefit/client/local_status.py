"""The status of a job of this machine, in the words of the one that an operator writes.

Pure functions.
"""

import datetime

from kubefit.api.contract import Cause, Result, TrainerReport, WorkerStatus
from kubefit.api.names import Phase
from kubefit.api.v1alpha1 import FailureStatus, Progress, TrainingJob, TrainingJobStatus
from kubefit.core.progress import progress, summary


def running(job: TrainingJob, statuses: list[WorkerStatus]) -> TrainingJobStatus:
    """Of a job whose workers say this."""
    chief = next((status for status in statuses if status.rank == 0), None)
    report = chief.report if chief else None
    phase = Phase.RUNNING if report and report.step else Phase.STARTING
    return _status(
        job,
        phase,
        report=report,
        ready_workers=len(statuses),
        restarts=chief.restarts if chief else 0,
        attempt=chief.attempt if chief else None,
        evaluation=report.evaluation if report else {},
        warnings=report.warnings if report else [],
    )


def ended(
    job: TrainingJob, result: Result, statuses: list[WorkerStatus], *, suspended: bool = False
) -> TrainingJobStatus:
    """Of a job that ended so; `statuses` are the last words of its workers, where known."""
    chief = next((status for status in statuses if status.rank == 0), None)
    phase = Phase.SUSPENDED if suspended else result.phase
    return _status(
        job,
        phase,
        report=chief.report if chief else None,
        before=_progress(result),
        attempt=result.attempts,
        evaluation=result.evaluation,
        warnings=result.warnings,
        failure=failure_of(result.failure) if result.failure and not suspended else None,
    )


def failed(job: TrainingJob, failure: FailureStatus) -> TrainingJobStatus:
    """Of a job of which nothing but that is known."""
    return _status(job, Phase.FAILED, failure=failure)


def failure_of(cause: Cause) -> FailureStatus:
    """A first cause as a status has it."""
    when = datetime.datetime.fromtimestamp(cause.time, datetime.UTC) if cause.time else None
    return FailureStatus(
        reason=cause.reason,
        message=cause.message,
        rank=cause.rank,
        exit_code=cause.exit_code,
        attempt=cause.attempt,
        time=when,
        details=cause.details,
    )


def _progress(result: Result) -> Progress | None:
    logs = dict(result.metrics)
    loss = logs.pop("loss", None)
    return Progress(loss=loss, metrics=logs) if loss is not None or logs else None


def _status(
    job: TrainingJob,
    phase: Phase,
    *,
    report: TrainerReport | None = None,
    before: Progress | None = None,
    ready_workers: int = 0,
    **fields: object,
) -> TrainingJobStatus:
    workers = job.spec.workers
    found = progress(report, before, ranks=workers, phase=phase)
    known = {
        "phase": phase,
        "workers": workers,
        "ready_workers": ready_workers,
        "progress": found,
        "summary": summary(ready_workers, workers, found),
        **fields,
    }
    return TrainingJobStatus.model_validate(known)
