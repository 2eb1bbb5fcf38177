"""Between loss and weight: what N workers compute is what one process computes."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from comparing import assert_same_training

pytestmark = pytest.mark.train
SCENARIOS = Path(__file__).with_name("scenarios_optimizers.py")


@pytest.mark.parametrize(
    "name",
    [
        "clipping",
        "accumulation",
        "ema",
        "weight_decay",
        "steps_per_execution",
        "eager",
        "losses",
        "added_losses",
        "masks",
        "places",
        "custom_train_step",
        "train_on_batch",
        "own_loop",
    ],
)
def test_same_logs_and_weights_as_one_process(one, many, name):
    assert_same_training(one[name], [rank[name] for rank in many])


def test_bfloat16_differs_by_its_rounding_only(one, many):
    assert_same_training(
        one["mixed_bfloat16"],
        [rank["mixed_bfloat16"] for rank in many],
        logs=(2e-2, 2e-3),
        weights=(2e-2, 2e-3),
    )


def test_batch_methods_report_the_global_batch(one, many):
    for rank in many:
        mine, single = rank["train_on_batch"], one["train_on_batch"]
        np.testing.assert_allclose(mine["losses"], single["losses"], rtol=1e-4)
        np.testing.assert_allclose(mine["predicted"], single["predicted"], rtol=1e-3, atol=1e-5)


def test_overflow_on_one_worker_skips_the_step_on_all(one, many):
    # One of four steps in each of two epochs, from an initial scale of 1024.
    assert one["mixed_float16"]["scale"] == 256.0
    assert one["mixed_float16"]["iterations"] == 6
    for rank in many:
        assert rank["mixed_float16"]["scale"] == one["mixed_float16"]["scale"]
        assert rank["mixed_float16"]["iterations"] == one["mixed_float16"]["iterations"]
        for mine, single in zip(
            rank["mixed_float16"]["weights"], one["mixed_float16"]["weights"], strict=True
        ):
            assert np.isfinite(mine).all()
            np.testing.assert_allclose(mine, single, rtol=5e-3, atol=1e-4)


def test_applying_gradients_outside_of_run_is_refused(many):
    for rank in many:
        assert "strategy.run" in rank["refused"]
        assert rank["refused"].startswith("UnsupportedProgramError")


def test_draws_of_a_loop_of_ones_own_are_those_of_one_process_on_the_chief_and_others_elsewhere(
    one, many
):
    np.testing.assert_equal(many[0]["own_draws"], one["own_draws"])
    for rank in many:
        first, second = rank["own_draws"]
        assert not np.array_equal(first[0], second[0])
    for a, b in itertools.pairwise(many):
        for mine, other in zip(a["own_draws"], b["own_draws"], strict=True):
            assert not np.array_equal(mine[0], other[0])
            assert not np.array_equal(mine[1], other[1])


def test_dropout_masks_differ_between_ranks_and_repeat_from_the_seed(many):
    for rank in many:
        np.testing.assert_array_equal(rank["dropout"][0], rank["dropout"][1])
    for a, b in itertools.pairwise(many):
        assert (a["dropout"][0] != b["dropout"][0]).any()
