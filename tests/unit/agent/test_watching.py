"""When a trainer is stuck."""

import pytest

from kubefit.api.contract import StepSeconds, TrainerPhase, TrainerReport
from kubefit_trainer.agent import watching


def stalled(
    phase: TrainerPhase, seconds: float, *, step: int = 10, first: int = 5, fitting: bool = True
) -> str | None:
    report = TrainerReport(
        phase=phase,
        epoch=2,
        step=step,
        fitting=fitting,
        updated=1000.0,
        step_seconds=_steps(second=100),
    )
    return watching.stalled(report, silent=seconds, first_step=first, stall_seconds=30.0)


def _steps(*, second: int = 0, minute: int = 0, longer: int = 0) -> StepSeconds:
    counts = [0] * 14
    counts[7], counts[12], counts[13] = second, minute, longer
    return StepSeconds(sum=second + 60.0 * minute + 100.0 * longer, counts=counts)


def test_a_trainer_without_a_step_for_too_long_is_stuck_and_the_sentence_says_where():
    assert stalled(TrainerPhase.TRAINING, 29.0) is None
    assert stalled(TrainerPhase.TRAINING, 31.0) == (
        "nothing happened for 31 s in the phase Training (epoch 2, step 10), more than the 30 s"
        " allowed; the stacks of all threads are in the logs of the workers"
    )


def test_what_a_program_does_between_two_fits_is_no_stall():
    assert stalled(TrainerPhase.TRAINING, 3000.0, fitting=False) is None


def test_slow_steps_are_no_stall():
    report = TrainerReport(
        phase=TrainerPhase.TRAINING,
        step=9,
        fitting=True,
        updated=0.0,
        step_seconds=_steps(minute=9),
    )
    ask = {"first_step": 0, "stall_seconds": 30.0}
    assert watching.stalled(report, silent=1199.0, **ask) is None
    assert watching.stalled(report, silent=1201.0, **ask) is not None


def test_the_first_step_after_a_restart_may_compile():
    assert stalled(TrainerPhase.TRAINING, 3000.0, step=5, first=5) is None
    assert stalled(TrainerPhase.TRAINING, 3700.0, step=5, first=5) is not None


@pytest.mark.parametrize("phase", [p for p in TrainerPhase if p is not TrainerPhase.TRAINING])
def test_other_phases_have_limits_of_their_own(phase: TrainerPhase):
    assert stalled(phase, 3500.0) is None
    assert stalled(phase, 25 * 3600.0) is not None


def test_a_clock_that_jumps_is_no_silence():
    silence = watching.Silence()

    def seconds(updated: float, now: float) -> float:
        report = TrainerReport(phase=TrainerPhase.TRAINING, updated=updated)
        return silence.seconds(report, now)

    assert seconds(1000.0, now=5.0) == 0.0
    assert seconds(1000.0, now=7.0) == 2.0
    # The clock of the machine was put back, and then forward, by hours.
    assert seconds(-9000.0, now=8.0) == 0.0
    assert seconds(99000.0, now=9.0) == 0.0
    assert seconds(99000.0, now=12.0) == 3.0


def test_workers_that_came_least_far_are_named():
    assert watching.behind({0: 7, 1: 7}) == ""
    assert watching.behind({0: 7, 1: 6, 2: 7}) == (
        "; of all workers, worker 1 came least far, to step 6 (others to 7)"
    )
    assert "worker 0, worker 1, worker 2 and 2 more" in watching.behind(
        dict.fromkeys(range(5), 6) | {5: 7}
    )


@pytest.mark.parametrize(
    ("steps", "median"),
    [
        (_steps(), 0.0),
        (_steps(second=3, minute=2), 1.0),
        (_steps(second=2, minute=3), 60.0),
        (_steps(longer=1), 100.0),
    ],
)
def test_the_median_is_the_bound_of_its_bucket(steps: StepSeconds, median: float):
    assert watching.median_seconds(steps) == median
