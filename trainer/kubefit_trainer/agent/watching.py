"""Whether a trainer is stuck: pure functions of its last report and of how long it is silent."""

from collections.abc import Mapping
from dataclasses import dataclass

from kubefit.api.contract import STEP_SECONDS_BUCKETS, StepSeconds, TrainerPhase, TrainerReport

_MEDIANS = 20.0
_FIRST_STEP_SECONDS = 3600.0
"""Building and compiling a large network, and the first batch of a cold volume."""
_PHASE_SECONDS = {
    TrainerPhase.STARTING: 3600.0,
    TrainerPhase.EVALUATING: 4 * 3600.0,
    TrainerPhase.EXPORTING: 4 * 3600.0,
    TrainerPhase.DONE: 24 * 3600.0,
}
"""Within these phases nothing is told; at the end of training the others are waited for."""


@dataclass(slots=True)
class Silence:
    """How long a trainer has told nothing new, whatever happens to the clock of its machine."""

    _updated: float | None = None
    _since: float = 0.0

    def seconds(self, report: TrainerReport, now: float) -> float:
        """Seconds since another report than this one was seen; `now` is monotonic time."""
        if report.updated != self._updated:
            self._updated, self._since = report.updated, now
        return now - self._since


def stalled(
    report: TrainerReport, *, silent: float, first_step: int, stall_seconds: float
) -> str | None:
    """One sentence if training has stopped to make progress; None if it has not.

    Args:
        report: What the trainer told last.
        silent: Seconds since it was told.
        first_step: Step that this trainer went on from.
        stall_seconds: The least time without a step that counts.

    """
    limit = _limit(report, first_step=first_step, stall_seconds=stall_seconds)
    if silent <= limit:
        return None
    where = f"epoch {report.epoch}, step {report.step}"
    return (
        f"nothing happened for {silent:.0f} s in the phase {report.phase} ({where}), more than the"
        f" {limit:.0f} s allowed; the stacks of all threads are in the logs of the workers"
    )


def behind(steps: Mapping[int, int]) -> str:
    """Which workers have done fewer steps than the others, for a sentence; by worker."""
    least, most = min(steps.values()), max(steps.values())
    if least == most:
        return ""
    slow = [worker for worker, step in steps.items() if step == least]
    names = ", ".join(f"worker {worker}" for worker in slow[:3])
    more = f" and {len(slow) - 3} more" if len(slow) > 3 else ""
    return f"; of all workers, {names}{more} came least far, to step {least} (others to {most})"


def _limit(report: TrainerReport, *, first_step: int, stall_seconds: float) -> float:
    if report.phase is TrainerPhase.TRAINING and not report.fitting:
        # Whatever a program does between two calls of fit.
        return _PHASE_SECONDS[TrainerPhase.EVALUATING]
    if report.phase is not TrainerPhase.TRAINING:
        return _PHASE_SECONDS[report.phase]
    if report.step <= first_step:
        return max(_FIRST_STEP_SECONDS, stall_seconds)
    return max(stall_seconds, _MEDIANS * median_seconds(report.step_seconds))


def median_seconds(steps: StepSeconds) -> float:
    """Upper bound of the histogram's bucket with the median step; 0 without a step."""
    half, seen = sum(steps.counts) / 2, 0
    bounds = (*STEP_SECONDS_BUCKETS, max(steps.sum, STEP_SECONDS_BUCKETS[-1]))
    for bound, count in zip(bounds, steps.counts, strict=True):
        seen += count
        if count and seen >= half:
            return bound
    return 0.0
