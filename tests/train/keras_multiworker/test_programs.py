"""Programs with models, losses and steps of their own train as on one process."""

from pathlib import Path

import numpy as np
import pytest
from comparing import assert_same_training

pytestmark = pytest.mark.train
SCENARIOS = Path(__file__).with_name("scenarios_programs.py")


@pytest.mark.parametrize(
    "program",
    [
        "metrics",
        "nested",
        "compute_loss",
        "train_step",
        "text",
        "adapted",
        "arguments",
        "own_strategies",
        "cleared_sessions",
    ],
)
def test_same_logs_and_weights_as_one_process(one, many, program):
    assert_same_training(one[program], [rank[program] for rank in many])


def test_nested_outputs_come_back_whole_and_in_order(one, many):
    for rank in many:
        lists, dicts = rank["nested"]
        for mine, single in zip(lists["predicted"], one["nested"][0]["predicted"], strict=True):
            np.testing.assert_allclose(mine, single, rtol=1e-4, atol=1e-6)
        assert dicts["predicted"].keys() == {"left", "right"}
        for name, single in one["nested"][1]["predicted"].items():
            np.testing.assert_allclose(dicts["predicted"][name], single, rtol=1e-4, atol=1e-6)


def test_a_raw_number_under_a_metrics_name_is_the_mean_over_the_global_batch(one, many):
    assert (one["train_step"]["seen"] > 0).all()
    for rank in many:
        np.testing.assert_allclose(rank["train_step"]["seen"], one["train_step"]["seen"], rtol=1e-4)


def test_a_strategy_that_a_program_makes_is_the_one_of_all_workers(many):
    for rank in many:
        assert {case["replicas"] for case in rank["own_strategies"]} == {len(many)}


def test_names_are_counted_anew_in_a_cleared_session(one, many):
    for found in (one, *many):
        assert {case["name"] for case in found["cleared_sessions"]} == {"sequential"}
