"""Inputs that are easily cut wrongly are cut rightly, or refused on all workers."""

from pathlib import Path

import pytest
from comparing import assert_close, assert_same_training

pytestmark = pytest.mark.train
SCENARIOS = Path(__file__).with_name("scenarios_inputs.py")
WEIGHTS = (1e-3, 1e-4)
"""Adam divides by gradients that are nearly zero."""


@pytest.mark.parametrize(
    "source", ["flow_from_directory", "few", "one_has_all", "ragged", "sparse"]
)
def test_source(one, many, source):
    assert_same_training(one[source], [rank[source] for rank in many], weights=WEIGHTS)


@pytest.mark.parametrize("source", ["few", "one_has_all", "ragged", "sparse"])
def test_predictions_and_evaluations(one, many, source):
    names = {"predicted", "evaluated"}
    assert any(names & case.keys() for case in cases(one[source]))
    for rank in many:
        for mine, single in zip(cases(rank[source]), cases(one[source]), strict=True):
            for name in names & single.keys():
                assert_close(mine[name], single[name], (1e-3, 1e-5))


def cases(results):
    return [results] if isinstance(results, dict) else results


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
