"""N workers give the numbers of one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.train

SCENARIOS = Path(__file__).with_name("scenarios.py")
SAMPLES, EPOCHS, STEPS = 37, 3, 5
GROUPS = (1, 3)
EXACT = [
    *("plain", "records", "packed", "steps", "short_last_batch", "validation"),
    *("augmented", "mixed", "mixed_of_two", "weighted", "many_labels", "numbers"),
]
"""Scenarios whose numbers do not depend on how a batch is cut; batch statistics do."""

Results = dict[int, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def results(worker_group: Callable[..., list[dict[str, Any]]]) -> Results:
    return {workers: worker_group(SCENARIOS, workers=workers) for workers in GROUPS}


def epochs_of(worker: dict[str, Any]) -> list[list[list[int]]]:
    return [worker["seen"][e * STEPS : (e + 1) * STEPS] for e in range(EPOCHS)]


@pytest.mark.parametrize("scenario", EXACT)
def test_losses_of_every_epoch_are_those_of_one_worker(results: Results, scenario: str) -> None:
    alone = results[1][0][scenario]["history"]
    for worker in results[3]:
        history = worker[scenario]["history"]
        assert set(history) == set(alone)
        for name, values in alone.items():
            np.testing.assert_allclose(history[name], values, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("scenario", EXACT)
def test_evaluation_is_that_of_one_worker(results: Results, scenario: str) -> None:
    alone = results[1][0][scenario]["evaluation"]
    metrics = {"many_labels": {"accuracy", "auc"}, "numbers": {"mean_absolute_error"}}
    assert set(alone) == {"loss"} | metrics.get(scenario, {"accuracy"})
    assert 0 < alone.get("accuracy", 1) <= 1
    for worker in results[3]:
        for name, value in alone.items():
            found = worker[scenario]["evaluation"][name]
            np.testing.assert_allclose(found, value, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("workers", GROUPS)
@pytest.mark.parametrize("scenario", [*EXACT, "batch_norm"])
def test_the_chief_has_the_prediction_of_each_image_once(
    results: Results, scenario: str, workers: int
) -> None:
    chief, *others = (worker[scenario] for worker in results[workers])
    assert chief["predictions"].keys() == chief["by_hand"].keys()
    for sample, expected in chief["by_hand"].items():
        np.testing.assert_allclose(chief["predictions"][sample], expected, rtol=1e-4, atol=1e-6)
    assert all(worker["predictions"] is None for worker in others)


@pytest.mark.parametrize("scenario", [*EXACT, "batch_norm"])
def test_weights_are_identical_on_all_workers(results: Results, scenario: str) -> None:
    first, *others = (worker[scenario]["weights"] for worker in results[3])
    for weights in others:
        for one, other in zip(first, weights, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("scenario", EXACT)
def test_weights_are_those_of_one_worker(results: Results, scenario: str) -> None:
    alone, group = (results[workers][0][scenario]["weights"] for workers in GROUPS)
    for one, other in zip(alone, group, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-5)


def test_training_lowers_the_loss(results: Results) -> None:
    losses = results[1][0]["plain"]["history"]["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("workers", GROUPS)
def test_each_sample_is_seen_exactly_once_an_epoch(results: Results, workers: int) -> None:
    group = [epochs_of(worker["plain"]) for worker in results[workers]]
    for epoch in range(EPOCHS):
        seen = [i for worker in group for step in worker[epoch] for i in step]
        assert sorted(seen) == list(range(SAMPLES))


@pytest.mark.parametrize("scenario", ["records", "packed"])
def test_images_in_files_train_as_those_in_an_array(results: Results, scenario: str) -> None:
    for worker in (worker for group in results.values() for worker in group):
        assert worker[scenario]["seen"] == worker["plain"]["seen"]
        for name, values in worker["plain"]["history"].items():
            np.testing.assert_allclose(worker[scenario]["history"][name], values, rtol=1e-6)


def test_every_step_has_the_samples_of_one_worker(results: Results) -> None:
    alone = results[1][0]["plain"]["seen"]
    group = [worker["plain"]["seen"] for worker in results[3]]
    assert len(alone) == EPOCHS * STEPS
    for one, *parts in zip(alone, *group, strict=True):
        assert sorted(one) == sorted(i for part in parts for i in part)


def test_epochs_of_given_steps_go_on_in_the_same_pass(results: Results) -> None:
    whole, cut = (results[1][0][name]["seen"] for name in ("plain", "steps"))
    assert cut == whole[: 2 * EPOCHS]


def test_a_worker_may_get_no_row_of_the_last_batch(results: Results) -> None:
    last = [worker["short_last_batch"]["seen"][1] for worker in results[3]]
    assert [len(step) for step in last] == [1, 0, 0]


def test_validation_samples_are_never_trained_on(results: Results) -> None:
    seen = {i for w in results[3] for step in w["validation"]["seen"] for i in step}
    assert len(seen) == SAMPLES - round(0.3 * SAMPLES)
