"""Whether a trainer is stuck: a pure function of its last report and the time."""

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


def stalled(
    report: TrainerReport, *, first_step: int, now: float, stall_seconds: float
) -> str | None:
    """One sentence if training has stopped to make progress; None if it has not.

    Args:
        report: What the trainer told last.
        first_step: Step that this trainer went on from.
        now: Unix time in seconds.
        stall_seconds: The least time without a step that counts.

    """
    silent = now - report.updated
    limit = _limit(report, first_step=first_step, stall_seconds=stall_seconds)
    if silent <= limit:
        return None
    where = f"epoch {report.epoch}, step {report.step}"
    return (
        f"nothing happened for {silent:.0f} s in the phase {report.phase} ({where}), more than the"
        f" {limit:.0f} s allowed; the stacks of all threads are in the logs of the workers"
    )


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
