"""Every way to hand data to fit trains on the same global batches with any number of workers."""

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.train
SCENARIOS = Path(__file__).with_name("scenarios_data.py")


def assert_same(single, workers):
    for worker in workers:
        for name, values in single["logs"].items():
            np.testing.assert_allclose(worker["logs"][name], values, rtol=1e-4, atol=1e-5)
        for mine, theirs in zip(worker["weights"], single["weights"], strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4)
        for mine, chief in zip(worker["weights"], workers[0]["weights"], strict=True):
            np.testing.assert_array_equal(mine, chief)


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
    assert_same(one["sources"][source], [rank["sources"][source] for rank in many])


@pytest.mark.parametrize("program", ["images", "text", "lengths", "ctc", "late_build"])
def test_program(one, many, program):
    assert_same(one[program], [rank[program] for rank in many])


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
