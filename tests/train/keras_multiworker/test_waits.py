"""Each worker knows how long it has waited for data, for the slowest worker's, for gradients."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.train
SCENARIOS = Path(__file__).with_name("scenarios_waits.py")
SLEPT = 1.2
"""Seconds that the data of worker 1 take in each case."""
CASES = [
    "known",
    "unknown",
    "several_steps_per_execution",
    "several_unknown_steps_per_execution",
]


@pytest.fixture(scope="module")
def two(worker_group):
    return worker_group(SCENARIOS, workers=2)


@pytest.mark.parametrize("case", CASES)
def test_the_worker_whose_data_are_slow_has_waited_for_them(two, case):
    fast, slow = (rank[case] for rank in two)
    # What is prefetched beforehand is not waited for.
    assert 0.5 * SLEPT < slow["data"] <= slow["seconds"]
    assert fast["data"] < 0.5 * slow["data"]


@pytest.mark.parametrize("case", CASES)
def test_all_workers_know_how_long_the_slowest_has_waited(two, case):
    for rank in two:
        assert rank[case]["slowest_data"] == pytest.approx(two[0][case]["slowest_data"])
        assert two[1][case]["data"] <= rank[case]["slowest_data"] + 1e-3 <= rank[case]["seconds"]


@pytest.mark.parametrize("case", CASES)
def test_a_fast_worker_waits_for_the_gradients_of_a_slow_one(two, case):
    fast, slow = (rank[case] for rank in two)
    assert 0.5 * SLEPT < fast["exchange"] <= fast["seconds"]
    assert slow["exchange"] < 0.5 * fast["exchange"]
