"""A difference or a failure of one worker ends all of them, and says whose it was."""

import signal
from pathlib import Path

import pytest

pytestmark = pytest.mark.train
SCENARIOS = Path(__file__).with_name("scenarios_failing.py")


@pytest.mark.parametrize(("scenario", "failed"), [("worker_fails", 1), ("chief_fails", 0)])
def test_every_worker_shows_the_failure_of_the_one_that_failed(failing_group, scenario, failed):
    codes, outputs = failing_group(SCENARIOS, workers=2, only=scenario)
    assert all(code not in (0, None) for code in codes), outputs
    assert f"deliberate failure of worker {failed}" in outputs[failed]
    assert "PeerFailedError" not in outputs[failed]
    other = outputs[1 - failed]
    assert "PeerFailedError" in other
    assert f"worker {failed} failed" in other
    assert f"deliberate failure of worker {failed}" in other
    assert "UnavailableError" not in other


@pytest.mark.parametrize(("scenario", "frozen"), [("worker_freezes", 1), ("chief_freezes", 0)])
def test_a_worker_that_freezes_ends_the_others(failing_group, scenario, frozen):
    codes, outputs = failing_group(SCENARIOS, workers=2, only=scenario)
    assert codes[frozen] is None
    assert codes[1 - frozen] not in (0, None, -signal.SIGABRT), outputs[1 - frozen]
    assert "heartbeat" in outputs[1 - frozen].lower() or "no answer" in outputs[1 - frozen]


@pytest.mark.parametrize(
    ("scenario", "difference"),
    [
        ("other_optimizer", "worker 1 differs from worker 0 in the optimizer"),
        ("other_steps", "worker 1 differs from worker 0 in the number of steps per epoch"),
    ],
)
def test_a_worker_whose_program_differs_is_named_before_the_first_step(
    failing_group, scenario, difference
):
    codes, outputs = failing_group(SCENARIOS, workers=2, only=scenario)
    assert all(code not in (0, None) for code in codes), outputs
    for output in outputs:
        assert difference in output
