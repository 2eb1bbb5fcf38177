"""Whatever a call of fit is given, it ends with the numbers of one that was never interrupted."""

from collections.abc import Callable
from pathlib import Path

import pytest
from lives import Ended, live

pytestmark = pytest.mark.train

PROGRAM = (Path(__file__).parent / "interrupted.py").read_text()
INTERRUPTIONS = {
    "tf_data": 2,
    "of_unknown_length": 1,
    "several_steps_at_once": 1,
    "from_function": 1,
    "py_dataset": 1,
    "py_dataset_of_processes": 1,
    "generator": 1,
    "random_numbers": 1,
    "callbacks": 1,
    "stopped_between_fits": 1,
}


@pytest.fixture(scope="module")
def both(start_workers, tmp_path_factory) -> Callable[..., tuple[Ended, Ended]]:
    def run(*cases: str, workers: int = 1) -> tuple[Ended, Ended]:
        undisturbed, interrupted = (
            live(
                start_workers, tmp_path_factory.mktemp(word), PROGRAM, word, *cases, workers=workers
            )
            for word in ("no", "yes")
        )
        assert undisturbed.lives == 1
        return undisturbed, interrupted

    return run


@pytest.fixture(scope="module")
def one_after_another(both) -> tuple[Ended, Ended]:
    return both(*INTERRUPTIONS)


def test_every_interruption_has_happened(one_after_another) -> None:
    assert one_after_another[1].lives == 1 + sum(INTERRUPTIONS.values())


@pytest.mark.parametrize("case", INTERRUPTIONS)
def test_it_ends_as_if_nothing_had_happened(case: str, one_after_another) -> None:
    undisturbed, interrupted = one_after_another
    assert interrupted.result[case] == undisturbed.result[case]


def test_the_log_tells_what_is_drawn_again(one_after_another) -> None:
    _, interrupted = one_after_another
    told = [line for line in interrupted.said.splitlines() if "drawing and skipping" in line]
    # Two pipelines in three lives, the one of several steps, and the generator.
    assert len(told) == 5


def test_a_worker_that_is_told_to_stop_in_a_validation_stops_all(both) -> None:
    undisturbed, interrupted = both("stopped_in_validation", workers=2)
    assert interrupted.lives == 2
    assert interrupted.result == undisturbed.result
    assert "going on from step 20, epoch 2" in interrupted.said
