"""How far training is: the chief's report as status fields and as texts of the printed columns."""

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


def progress(
    report: TrainerReport | None, before: Progress | None, *, ranks: int, phase: Phase
) -> Progress | None:
    """What is known of it; `percent` is 100 when the job has succeeded, and not before."""
    found = before if report is None else _reported(report, ranks)
    if found is None or phase is not Phase.SUCCEEDED:
        return found
    return found.model_copy(update={"percent": 100})


def _reported(report: TrainerReport, ranks: int) -> Progress:
    total = _times(report.steps_per_epoch, report.epochs)
    return Progress(
        epoch=report.epoch or None,
        epochs=report.epochs,
        step=report.step,
        total_steps=total,
        percent=min(99, 100 * report.step // total) if total else None,
        loss=_finite(report.loss),
        metrics={name: value for name, value in report.metrics.items() if _is_finite(value)},
        examples_per_second=_throughput(report, ranks),
        skipped_images=report.skipped_images or None,
        update_time=workers.moment(report.updated) if report.updated else None,
    )


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
