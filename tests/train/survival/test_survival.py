"""A job whose processes are killed ends as if nothing had happened, to the last bit."""

import json
import signal
from pathlib import Path

import pytest
from faults import AGENT, TRAINER, Faults, at_step, epochs_of, hit, in_phase, train, weights_of
from shades import EPOCHS, write_images

from kubefit.api.contract import TrainerPhase
from kubefit.client.local import LocalResult
from kubefit_trainer.agent.goodput import Lost, goodput
from kubefit_trainer.agent.policy import History

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def tested_on(volume: Path) -> str:
    """So many pictures that evaluating them is seen, however seldom one looks."""
    write_images(volume / "test", each=1000, seed=8)
    return "test"


@pytest.fixture(scope="module")
def undisturbed(volume: Path, tested_on: str) -> LocalResult:
    return train(volume, "undisturbed", workers=2, tested_on=tested_on, maxRestarts=10)


@pytest.fixture(scope="module")
def disturbed(volume: Path, tested_on: str) -> tuple[LocalResult, Faults]:
    job = "disturbed"
    faults = Faults(
        [
            (at_step(30), hit(TRAINER, 1, signal.SIGKILL, job=job)),
            (at_step(80), hit(TRAINER, 0, signal.SIGKILL, job=job)),
            (at_step(130), hit(AGENT, 1, signal.SIGKILL, job=job)),
            (at_step(180), hit(AGENT, 1, signal.SIGTERM, job=job)),
            (at_step(230), hit(AGENT, 0, signal.SIGKILL, job=job)),
            (in_phase(TrainerPhase.EVALUATING), hit(TRAINER, 1, signal.SIGKILL, job=job)),
            (in_phase(TrainerPhase.EXPORTING), hit(TRAINER, 0, signal.SIGKILL, job=job)),
        ]
    )
    return train(volume, job, faults, workers=2, tested_on=tested_on, maxRestarts=10), faults


def test_every_fault_has_happened_and_was_followed_by_another_attempt(disturbed) -> None:
    result, faults = disturbed
    assert not faults.planned
    assert result.restarts >= faults.happened


def test_the_weights_are_those_of_an_undisturbed_run_to_the_last_bit(
    undisturbed, disturbed
) -> None:
    assert weights_of(disturbed[0].job_dir) == weights_of(undisturbed.job_dir)


def test_no_epoch_is_lost_and_each_has_the_numbers_of_an_undisturbed_run(
    undisturbed, disturbed
) -> None:
    expected = epochs_of(undisturbed.job_dir)
    assert len(expected) == EPOCHS
    # An epoch whose end was not in a snapshot is done again, with the same numbers.
    assert list(dict.fromkeys(epochs_of(disturbed[0].job_dir))) == expected


def test_attempts_tell_what_ended_them(disturbed) -> None:
    told = json.loads((disturbed[0].job_dir / "attempts.json").read_text())["attempts"]
    ended = [
        (attempt["cause"]["reason"], attempt["charged"]) for attempt in told if attempt["cause"]
    ]
    assert ended == [
        ("Crashed", True),
        ("Crashed", True),
        ("PeerLost", False),
        ("Preempted", False),
        ("PeerLost", False),
        # While it evaluated, and while it exported.
        ("Crashed", True),
        ("Crashed", True),
    ]
    firsts = [attempt["firstStep"] for attempt in told]
    assert firsts == sorted(firsts)
    for attempt, first in zip(told, firsts[1:], strict=False):
        # At most one interval between two checkpoints is done again.
        assert first >= attempt["lastStep"] - 20


def test_every_second_of_the_job_is_accounted_for(disturbed) -> None:
    result, _ = disturbed
    told = History.model_validate_json((result.job_dir / "attempts.json").read_text()).attempts
    began, ended = told[0].awaited, told[-1].ended
    assert began is not None
    assert ended is not None
    found = goodput(told, now=ended)
    assert found.wall == pytest.approx(ended - began)
    assert 0.8 * result.seconds < found.wall <= result.seconds
    assert found.productive > 0
    assert found.lost[Lost.STARTUP] > 0
    assert found.lost[Lost.CHECKPOINT] > 0
    # Starts of all attempts but the first, which made no new step meanwhile.
    starts = sum(a.spent.until - a.began - a.spent.total for a in told[1:] if a.spent)
    assert found.lost[Lost.RESTART] > starts > 0
