"""N workers give the numbers of one for texts, recordings and transcripts, too."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.train

SCENARIOS = Path(__file__).with_name("scenarios_words.py")
GROUPS = (1, 3)
KINDS = {"text": "accuracy", "speech": "accuracy", "transcripts": "character_error_rate"}

Results = dict[int, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def results(worker_group: Callable[..., list[dict[str, Any]]]) -> Results:
    return {workers: worker_group(SCENARIOS, workers=workers) for workers in GROUPS}


@pytest.mark.parametrize("kind", KINDS)
def test_losses_and_scores_are_those_of_one_worker(results: Results, kind: str) -> None:
    alone = results[1][0][kind]
    assert len(alone["history"]["loss"]) == 2
    for worker in results[3]:
        for part in ("history", "evaluation"):
            assert set(worker[kind][part]) == set(alone[part]) >= {"loss", KINDS[kind]}
            for name, expected in alone[part].items():
                found = worker[kind][part][name]
                np.testing.assert_allclose(found, expected, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_those_of_one_worker_and_the_same_on_all(results: Results, kind: str) -> None:
    alone = results[1][0][kind]["weights"]
    first, *others = (worker[kind]["weights"] for worker in results[3])
    for one, mine in zip(alone, first, strict=True):
        np.testing.assert_allclose(mine, one, rtol=1e-3, atol=1e-5)
    for weights in others:
        for mine, other in zip(first, weights, strict=True):
            np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("workers", GROUPS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_chief_predicts_each_sample_once_as_the_exported_model_does(
    results: Results, kind: str, workers: int
) -> None:
    chief, *others = (worker[kind] for worker in results[workers])
    assert len(chief["predictions"]) == round(0.2 * 37)
    assert chief["predictions"].keys() == chief["by_hand"].keys()
    for sample, expected in chief["by_hand"].items():
        np.testing.assert_allclose(chief["predictions"][sample], expected, rtol=1e-4, atol=1e-6)
    assert all(worker["predictions"] is None for worker in others)
