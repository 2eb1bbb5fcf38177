"""Every way to hand data to fit trains on the same global batches with any number of workers."""

from pathlib import Path

import numpy as np
import pytest
from comparing import assert_same_training

pytestmark = pytest.mark.train
SCENARIOS = Path(__file__).with_name("scenarios_data.py")
WEIGHTS = (1e-3, 1e-4)
"""Adam divides by gradients that are nearly zero."""


@pytest.mark.parametrize(
    "source",
    [
        "tf_data",
        "tf_data_endless",
        "tf_data_filtered",
        "tf_data_distributed",
        "small_batches",
        "py_dataset",
        "py_dataset_workers",
        "generator",
        "arrays_shuffled",
        "batch_shuffled",
        "validation_split",
        "tensors",
        "class_weight",
        "several_steps",
    ],
)
def test_source(one, many, source):
    assert_same_training(
        one["sources"][source], [rank["sources"][source] for rank in many], weights=WEIGHTS
    )


@pytest.mark.parametrize("program", ["images", "text", "lengths", "ctc", "late_build"])
def test_program(one, many, program):
    assert_same_training(one[program], [rank[program] for rank in many], weights=WEIGHTS)


def test_evaluate_and_predict_are_exact_and_in_order(one, many):
    single = one["evaluate_and_predict"]
    for rank in many:
        mine = rank["evaluate_and_predict"]
        for logs, expected in zip(mine["evaluated"], single["evaluated"], strict=True):
            assert logs == pytest.approx(expected, rel=1e-5, abs=1e-6)
        for rows, expected in zip(mine["predicted"], single["predicted"], strict=True):
            np.testing.assert_allclose(rows, expected, rtol=1e-4, atol=1e-6)


def test_different_batches_on_different_workers_are_refused(many):
    for rank in many:
        assert rank["different_data"].startswith("DifferentDataError")
        assert "seed every shuffle" in rank["different_data"]
