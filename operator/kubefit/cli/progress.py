"""What a screen shows of a training, drawn from workers' or from a job's status.

Pure: knows neither screens nor where statuses come from.
"""

from collections import deque
from dataclasses import dataclass, field

from kubefit.api.contract import AgentPhase, TrainerPhase, WorkerStatus
from kubefit.api.names import ConditionType, Phase
from kubefit.api.v1alpha1 import ConditionStatus, TrainingJob

_RATE_WINDOW_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A training at one moment."""

    phase: str
    """A word or a short sentence on what happens."""
    epoch: int = 0
    """From 1; 0 before the first."""
    epochs: int | None = None
    step: int = 0
    total_steps: int | None = None
    logs: dict[str, float] = field(default_factory=dict)
    """Loss and metrics, loss first."""
    examples_per_second: float | None = None


class Rate:
    """Samples per second over the last seconds, from counts that only grow."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, now: float, count: int) -> float | None:
        """The rate at `now` (seconds); None until two counts are known."""
        if self._seen and count < self._seen[-1][1]:
            self._seen.clear()
        self._seen.append((now, count))
        while len(self._seen) > 2 and self._seen[1][0] <= now - _RATE_WINDOW_SECONDS:
            self._seen.popleft()
        (then, before), (last, _) = self._seen[0], self._seen[-1]
        return (count - before) / (last - then) if last > then and count > before else None


def of_workers(statuses: list[WorkerStatus], *, rate: Rate, now: float) -> Snapshot:
    """From the agents of a local run; the chief's report is the job's."""
    chief = next((status for status in statuses if status.rank == 0), None)
    report = chief.report if chief else None
    if report is None or chief is None:
        return Snapshot(phase=_before_training(statuses))
    examples = sum(status.report.examples for status in statuses if status.report)
    total = report.epochs and report.steps_per_epoch and report.epochs * report.steps_per_epoch
    return Snapshot(
        phase=_PHASES[report.phase],
        epoch=report.epoch,
        epochs=report.epochs,
        step=report.step,
        total_steps=total,
        logs=_logs(report.loss, report.metrics),
        examples_per_second=rate.at(now, examples),
    )


_PHASES = {
    TrainerPhase.STARTING: "starting TensorFlow",
    TrainerPhase.TRAINING: "training",
    TrainerPhase.EVALUATING: "evaluating",
    TrainerPhase.EXPORTING: "exporting",
    TrainerPhase.DONE: "done",
}


def _before_training(statuses: list[WorkerStatus]) -> str:
    for status in statuses:
        if status.phase is AgentPhase.WAITING and status.waiting_for:
            return f"worker {status.rank} waits for {status.waiting_for}"
    return "starting workers"


def of_job(job: TrainingJob) -> Snapshot:
    """From the status of a job on a cluster."""
    status = job.status
    words = [str(status.phase or "Pending")]
    if status.summary.ready:
        words.append(f"{status.summary.ready} ready")
    reason = why_not_running(job)
    phase = " ".join(words) + (f": {reason}" if reason else "")
    progress = status.progress
    if progress is None:
        return Snapshot(phase=phase)
    return Snapshot(
        phase=phase,
        epoch=progress.epoch or 0,
        epochs=progress.epochs,
        step=progress.step or 0,
        total_steps=progress.total_steps,
        logs=_logs(progress.loss, progress.metrics),
        examples_per_second=progress.examples_per_second,
    )


def why_not_running(job: TrainingJob) -> str:
    """The message of the first condition that keeps the job from running; empty without one."""
    if job.status.phase in (Phase.RUNNING, Phase.SUCCEEDED, Phase.FAILED):
        return ""
    unmet = {
        c.type: c.message
        for c in job.status.conditions
        if c.status is ConditionStatus.FALSE and c.reason != _COUNTED
    }
    for kind in (ConditionType.ACCEPTED, ConditionType.PODS_READY):
        if kind in unmet:
            return unmet[kind]
    return ""


_COUNTED = "Waiting"
"""Reason of a condition that only repeats how many workers are ready."""


def _logs(loss: float | None, metrics: dict[str, float]) -> dict[str, float]:
    return {**({} if loss is None else {"loss": loss}), **metrics}
