"""fit, evaluate and predict on 2 and 3 workers give the numbers of one process."""

from pathlib import Path

import numpy as np
import pytest
from comparing import assert_same_training

pytestmark = pytest.mark.train
SCENARIOS = Path(__file__).with_name("scenarios_basic.py")
WORKERS = (2, 3)
EXACT = (1e-5, 1e-6)


def assert_same_numbers(single, workers):
    for other in workers:
        for name, value in single.items():
            assert other[name] == pytest.approx(value, rel=1e-5, abs=1e-6), name


def test_arrays_with_a_ragged_last_batch(one, many):
    assert_same_training(one["numpy"], [rank["numpy"] for rank in many], logs=EXACT)


def test_evaluate_is_exact_to_the_last_sample(one, many):
    assert_same_numbers(one["numpy"]["evaluated"], [rank["numpy"]["evaluated"] for rank in many])


def test_predict_returns_all_rows_in_order(one, many):
    for rank in many:
        np.testing.assert_allclose(
            rank["numpy"]["predicted"], one["numpy"]["predicted"], rtol=1e-4, atol=1e-6
        )


def test_each_sample_is_seen_exactly_once_an_epoch(many):
    for epoch in range(2):
        total = sum(rank["seen"]["seen"][epoch] for rank in many)
        np.testing.assert_array_equal(total, np.full_like(total, epoch + 1))


@pytest.mark.parametrize("cardinality", ["known", "unknown"])
def test_rows_that_the_program_cut_itself(one, many, cardinality):
    workers = [rank["from_function"][cardinality] for rank in many]
    assert_same_training(one["from_function"][cardinality], workers, logs=EXACT)
    evaluated = [worker["evaluated"] for worker in workers]
    assert_same_numbers(one["from_function"][cardinality]["evaluated"], evaluated)


def test_batch_norm_statistics_and_evaluation_are_the_same_on_all_workers(one, many):
    chief = many[0]["batch_norm"]
    for rank in many[1:]:
        for a, b in zip(chief["weights"], rank["batch_norm"]["weights"], strict=True):
            np.testing.assert_array_equal(a, b)
        assert rank["batch_norm"]["evaluated"] == chief["evaluated"]
    assert chief["evaluated"]["loss"] == pytest.approx(
        one["batch_norm"]["evaluated"]["loss"], rel=0.3
    )


def test_two_fits_with_a_compile_between_them(one, many):
    assert_same_training(one["two_fits"], [rank["two_fits"] for rank in many], logs=EXACT)
    for rank in many:
        np.testing.assert_allclose(
            rank["two_fits"]["first"]["loss"], one["two_fits"]["first"]["loss"], rtol=1e-5
        )
