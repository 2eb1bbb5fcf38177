"""Inputs that are easily cut wrongly are cut rightly, or refused on all workers."""

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.train
SCENARIOS = Path(__file__).with_name("scenarios_inputs.py")


def assert_same(single, workers):
    for worker in workers:
        for name, values in single["logs"].items():
            np.testing.assert_allclose(worker["logs"][name], values, rtol=1e-4, atol=1e-5)
        for mine, theirs in zip(worker["weights"], single["weights"], strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4)
        for mine, chief in zip(worker["weights"], workers[0]["weights"], strict=True):
            np.testing.assert_array_equal(mine, chief)
        for name in ("predicted", "evaluated"):
            if name in single:
                np.testing.assert_allclose(worker[name], single[name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "source", ["flow_from_directory", "few", "one_has_all", "ragged", "sparse"]
)
def test_source(one, many, source):
    single, workers = one[source], [rank[source] for rank in many]
    if isinstance(single, dict):
        single, workers = [single], [[worker] for worker in workers]
    for case, expected in enumerate(single):
        assert_same(expected, [worker[case] for worker in workers])


def test_a_pipeline_that_was_never_batched_is_refused_as_on_one_process(one, many):
    assert one["single_rows"].startswith("ValueError")
    for rank in many:
        assert rank["single_rows"] == one["single_rows"]


@pytest.mark.parametrize("name", ["seeds", "arrays", "rows", "evaluated", "predicted"])
def test_different_batches_are_refused_on_all_workers(many, name):
    for rank in many:
        assert rank["different"][name].startswith("DifferentDataError: the workers drew different")


@pytest.mark.parametrize("name", ["fit_ends", "evaluate_ends", "predict_ends"])
def test_data_that_end_early_on_one_worker_are_refused_on_all(many, name):
    for number, rank in enumerate(many):
        assert rank["different"][name].startswith(
            f"DifferentDataError: the data of worker {number} have ended"
            if number
            else "DifferentDataError: the data of worker 0 go on"
        )
