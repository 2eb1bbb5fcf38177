"""`result.json`, written by the chief's agent: how the job ended, for people and programs."""

from pathlib import Path

from kubefit.api.contract import Cause, JobFiles, Outcome, Result
from kubefit.api.names import Phase
from kubefit_trainer import report


def result_of(outcome: Outcome, *, run: str, attempt: int, seconds: float) -> Result:
    """The result of the job as its chief saw it."""
    told = outcome.report
    failed = outcome.exit_code != 0
    metrics = dict(told.metrics) if told else {}
    if told and told.loss is not None:
        metrics["loss"] = told.loss
    return Result(
        phase=Phase.FAILED if failed else Phase.SUCCEEDED,
        run=run,
        attempts=attempt,
        seconds=round(seconds, 3),
        metrics=metrics,
        evaluation=told.evaluation if told else {},
        skipped_images=told.skipped_images if told else 0,
        warnings=told.warnings if told else [],
        versions=told.versions if told else {},
        failure=Cause(
            rank=outcome.rank,
            exit_code=outcome.exit_code,
            reason=outcome.reason,
            message=outcome.message,
            details=outcome.details,
        )
        if failed
        else None,
    )


def write(files: JobFiles, result: Result) -> None:
    """Replaces the file as a whole."""
    report.write(Path(files.result), result, indent=2)
