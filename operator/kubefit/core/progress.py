"""How far training is: the chief's report as status fields and as texts of the printed columns."""

import datetime

from kubefit.api.contract import TrainerReport
from kubefit.api.names import Phase
from kubefit.api.v1alpha1 import Progress, Summary
from kubefit.core import workers
from kubefit.core.observed import Observed


def chief_report(observed: Observed) -> TrainerReport | None:
    """The chief's latest report: the answer of its agent, else its last words."""
    if observed.chief is not None and observed.chief.report is not None:
        return observed.chief.report
    pod = workers.latest(observed.pods).get(0)
    words = workers.outcome(pod) if pod is not None else None
    return words.report if words else None


def progress(report: TrainerReport, *, ranks: int, phase: Phase) -> Progress:
    """The status of a report; `percent` reaches 100 only when the job has succeeded."""
    total = _times(report.steps_per_epoch, report.epochs)
    percent = None
    if phase is Phase.SUCCEEDED:
        percent = 100
    elif total:
        percent = min(99, 100 * report.step // total)
    return Progress(
        epoch=report.epoch or None,
        epochs=report.epochs,
        step=report.step,
        total_steps=total,
        percent=percent,
        loss=_finite(report.loss),
        metrics={name: value for name, value in report.metrics.items() if _is_finite(value)},
        examples_per_second=_throughput(report, ranks),
        skipped_images=report.skipped_images or None,
        update_time=_moment(report.updated),
    )


def _moment(seconds: float) -> datetime.datetime | None:
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC) if seconds else None


def summary(ready: int, ranks: int, found: Progress | None) -> Summary:
    """Texts of the columns READY, EPOCH, PROGRESS and LOSS."""
    if found is None:
        return Summary(ready=f"{ready}/{ranks}")
    epochs = "?" if found.epochs is None else found.epochs
    return Summary(
        ready=f"{ready}/{ranks}",
        epoch=None if found.epoch is None else f"{found.epoch}/{epochs}",
        progress=None if found.percent is None else f"{found.percent}%",
        loss=None if found.loss is None else f"{found.loss:.4f}",
    )


def _times(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first * second


def _throughput(report: TrainerReport, ranks: int) -> float | None:
    """Examples per second of all workers within steps: the chief's share times the workers."""
    seconds = report.step_seconds.sum
    return round(ranks * report.examples / seconds, 1) if seconds > 0 else None


def _finite(value: float | None) -> float | None:
    return value if value is not None and _is_finite(value) else None


def _is_finite(value: float) -> bool:
    return value - value == 0
