"""N workers give the numbers of one where texts are written, too, and write the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kubefit.api.recipe import Tokens
from kubefit_trainer.recipe.pairs import vocabulary

pytestmark = pytest.mark.train

SCENARIOS = Path(__file__).with_name("scenarios_pairs.py")
GROUPS = (1, 3)

Results = dict[int, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def results(worker_group: Callable[..., list[dict[str, Any]]]) -> Results:
    return {
        workers: [one["pairs"] for one in worker_group(SCENARIOS, workers=workers)]
        for workers in GROUPS
    }


def test_losses_and_scores_are_those_of_one_worker(results: Results) -> None:
    alone = results[1][0]
    for worker in results[3]:
        for part in ("history", "evaluation"):
            assert set(worker[part]) == set(alone[part]) == {"loss", "accuracy"}
            for name, expected in alone[part].items():
                np.testing.assert_allclose(worker[part][name], expected, rtol=1e-4, err_msg=name)


def test_only_tokens_of_targets_count_and_all_of_them_alike(results: Results) -> None:
    for worker in results[1]:
        for name, expected in worker["by_hand"].items():
            assert worker["evaluation"][name] == pytest.approx(expected, rel=1e-4)


def test_weights_are_those_of_one_worker_and_the_same_on_all(results: Results) -> None:
    alone = results[1][0]["weights"]
    first, *others = (worker["weights"] for worker in results[3])
    for one, mine in zip(alone, first, strict=True):
        np.testing.assert_allclose(mine, one, rtol=1e-3, atol=1e-5)
    for weights in others:
        for mine, other in zip(first, weights, strict=True):
            np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("workers", GROUPS)
def test_the_chief_has_each_target_once_as_one_worker_and_the_export_write_it(
    results: Results, workers: int
) -> None:
    chief, *others = results[workers]
    assert all(worker["tokens"] is None for worker in others)
    alone = dict(zip(results[1][0]["samples"].tolist(), results[1][0]["tokens"], strict=True))
    assert len(alone) == round(0.2 * 37)
    assert alone.keys() == set(chief["samples"].tolist())
    for sample, numbers, text in zip(
        chief["samples"].tolist(), chief["tokens"], chief["exported"], strict=True
    ):
        np.testing.assert_array_equal(numbers, alone[sample])
        tokens = numbers.astype(np.int64)
        assert vocabulary.written(tokens, chief["classes"], Tokens.CHARACTERS) == text
