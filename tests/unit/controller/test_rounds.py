"""How often chiefs are asked, with few jobs and with many."""

import pytest

from kubefit.api.names import Phase
from kubefit.controller.rounds import Rounds


@pytest.fixture
def thousand() -> Rounds:
    """A thousand jobs that train."""
    rounds = Rounds()
    for number in range(1000):
        rounds.seconds(("team", f"job-{number}"), Phase.RUNNING)
    return rounds


def test_the_more_jobs_train_the_less_often_each_is_asked_and_written(thousand) -> None:
    for number in range(500):
        thousand.leave(("team", f"job-{number}"))
    assert thousand.seconds(("team", "job-999"), Phase.RUNNING) == (25.0, 50.0)
    for number in range(900):
        thousand.leave(("team", f"job-{number}"))
    assert thousand.seconds(("team", "job-999"), Phase.RUNNING) == (5.0, 10.0)


def test_each_has_its_turn_once_a_minute_however_many_there_are(thousand) -> None:
    assert thousand.seconds(("team", "job-7"), Phase.RUNNING) == (50.0, 60.0)
    for number in range(1000, 10_000):
        thousand.seconds(("team", f"job-{number}"), Phase.RUNNING)
    assert thousand.seconds(("team", "job-7"), Phase.RUNNING) == (60.0, 60.0)


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.STARTING, Phase.RESTARTING])
def test_a_job_that_does_not_train_is_asked_often_among_many_that_do(thousand, phase) -> None:
    assert thousand.seconds(("team", "new"), phase) == (0.02, 0.1)
    assert thousand.seconds(("team", "job-0"), phase) == (0.04, 0.2)
    assert thousand.seconds(("team", "new"), Phase.RUNNING) == (50.0, 60.0)
