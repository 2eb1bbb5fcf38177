"""Fine-tuning in phases gives the numbers of one worker, and trains what it says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.train

SCENARIOS = Path(__file__).with_name("scenarios_fine_tuning.py")
SAMPLES = 36
EXACT = ["two_phases", "averaged", "found_rate"]

Results = dict[int, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def results(worker_group: Callable[..., list[dict[str, Any]]]) -> Results:
    return {workers: worker_group(SCENARIOS, workers=workers) for workers in (1, 3)}


@pytest.mark.parametrize("scenario", EXACT)
def test_losses_are_those_of_one_worker(results: Results, scenario: str) -> None:
    alone = results[1][0][scenario]
    for worker in results[3]:
        assert set(worker[scenario]["history"]) == set(alone["history"])
        for name, values in alone["history"].items():
            np.testing.assert_allclose(
                worker[scenario]["history"][name], values, atol=1e-4, err_msg=name
            )
        for name, value in alone["evaluation"].items():
            np.testing.assert_allclose(worker[scenario]["evaluation"][name], value, atol=1e-4)


@pytest.mark.parametrize("scenario", EXACT)
def test_predictions_are_those_of_one_worker(results: Results, scenario: str) -> None:
    alone = results[1][0][scenario]["predictions"]
    for worker in results[3]:
        found = worker[scenario]["predictions"]
        np.testing.assert_array_equal(found.argmax(axis=1), alone.argmax(axis=1))
        np.testing.assert_allclose(found, alone, atol=1e-4)


@pytest.mark.parametrize("scenario", [*EXACT, "stops_early", "found_batch"])
def test_weights_are_identical_on_all_workers(results: Results, scenario: str) -> None:
    first, *others = (worker[scenario]["weights"] for worker in results[3])
    for other in others:
        for one, value in zip(first, other, strict=True):
            np.testing.assert_array_equal(one, value)


def test_the_chief_alone_has_read_the_network(results: Results) -> None:
    for group in results.values():
        assert [worker["two_phases"]["read"] for worker in group] == [True] + [False] * (
            len(group) - 1
        )
        first, *others = (worker["two_phases"]["backbone_before"] for worker in group)
        assert np.abs(first["norm1/moving_mean"]).max() > 0.2
        for other in others:
            for name, value in first.items():
                np.testing.assert_array_equal(other[name], value, err_msg=name)


def test_first_the_head_learns_then_the_last_block_too(results: Results) -> None:
    head = ["probabilities/bias", "probabilities/kernel"]
    trainable = results[1][0]["two_phases"]["trainable"]
    assert trainable[:2] == [head] * 2
    assert trainable[2:] == [sorted([*head, "conv1/kernel", "conv1/bias"])] * 3


def test_only_what_is_unfrozen_changes_and_never_the_statistics(results: Results) -> None:
    for worker in results[3]:
        before, after = worker["two_phases"]["backbone_before"], worker["two_phases"]["backbone"]
        changed = {name for name in before if not np.array_equal(before[name], after[name])}
        assert changed == {"conv1/kernel", "conv1/bias"}


def test_training_lowers_the_loss(results: Results) -> None:
    losses = results[1][0]["two_phases"]["history"]["loss"]
    assert len(losses) == 5
    assert losses[-1] < losses[0]


def test_epochs_are_told_over_all_phases(results: Results) -> None:
    for worker in results[3]:
        told = worker["two_phases"]["epochs"]
        assert {total for _, total in told} == {5}
        assert sorted({epoch for epoch, _ in told}) == [1, 2, 3, 4, 5]
        assert [epoch for epoch, _ in told] == sorted(epoch for epoch, _ in told)


def test_a_phase_that_gets_worse_ends_and_leaves_its_best_weights(results: Results) -> None:
    for group in results.values():
        for worker in group:
            losses = worker["stops_early"]["history"]["val_loss"]
            stopped = len(losses) - 2
            assert 2 <= stopped < 4
            assert losses[-1] == pytest.approx(min(losses[:stopped]), rel=1e-3)
            told = [epoch for epoch, _ in worker["stops_early"]["epochs"]]
            assert set(told) == {*range(1, stopped + 1), 5, 6}


def test_every_worker_finds_the_same_learning_rate(results: Results) -> None:
    found = {tuple(w["found_rate"]["found"]) for group in results.values() for w in group}
    ((rate,),) = found
    assert 1e-5 < rate < 1.0


def test_the_steps_of_the_search_are_not_told_and_not_kept(results: Results) -> None:
    for worker in results[3]:
        told = worker["found_rate"]["epochs"]
        assert {epoch for epoch, _ in told} == {1, 2}
        assert {total for _, total in told} == {2}
    losses = results[1][0]["found_rate"]["history"]["loss"]
    assert losses[-1] < losses[0]


def test_every_worker_finds_the_same_batch_size_and_forgets_the_trial(results: Results) -> None:
    for workers, group in results.items():
        ((batch, rate),) = {(w["found_batch"]["batch"], *w["found_batch"]["found"]) for w in group}
        assert batch in [workers * 2**k for k in range(6)]
        assert 8 <= batch <= SAMPLES
        assert 1e-5 < rate < 1.0
        for worker in group:
            assert worker["found_batch"]["unchanged"]
            assert {epoch for epoch, _ in worker["found_batch"]["epochs"]} == {1, 2}
