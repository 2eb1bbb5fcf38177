"""The repairs with the second Keras of the table: two workers give the numbers of one."""

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.train
SCENARIOS = Path(__file__).with_name("scenarios_other_keras.py")


@pytest.fixture(scope="module")
def one(worker_group, other_keras):
    return worker_group(SCENARIOS, workers=1, env=other_keras)[0]


@pytest.fixture(scope="module")
def two(worker_group, other_keras):
    return worker_group(SCENARIOS, workers=2, env=other_keras)


def assert_close(mine, single, where, **tolerance):
    """Compares what scenarios return, however it is nested."""
    if isinstance(single, dict):
        assert mine.keys() == single.keys(), where
        for name in single:
            assert_close(mine[name], single[name], f"{where}.{name}", **tolerance)
    elif isinstance(single, list | tuple) and any(
        isinstance(part, dict | list | tuple | str | np.ndarray) for part in single
    ):
        assert len(mine) == len(single), where
        for i, (a, b) in enumerate(zip(mine, single, strict=True)):
            assert_close(a, b, f"{where}[{i}]", **tolerance)
    elif isinstance(single, str):
        assert mine == single, where
    else:
        np.testing.assert_allclose(mine, single, err_msg=where, **tolerance)


def test_it_is_the_other_version(one, two):
    assert {rank["version"] for rank in [one, *two]} == {one["version"]}
    assert one["version"].startswith("3.14.")


@pytest.mark.parametrize(
    "name",
    [
        "numpy",
        "from_function",
        "two_fits",
        "late_build",
        "lengths",
        "clipping",
        "accumulation",
        "losses",
        "masks",
        "steps_per_execution",
        "custom_train_step",
        "synchronized_by_hand",
    ],
)
def test_the_numbers_of_one_process(one, two, name):
    for rank in two:
        assert_close(rank[name], one[name], name, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["own_strategies", "stop", "callbacks", "save", "mixed_float16"])
def test_the_same_on_both_workers(two, name):
    assert_close(two[1][name], two[0][name], name, rtol=0, atol=0)


def test_files_and_loss_scale_are_those_of_one_process(one, two):
    for rank in two:
        assert rank["callbacks"]["files"] == one["callbacks"]["files"]
        assert rank["callbacks"]["events"] == one["callbacks"]["events"]
        assert rank["mixed_float16"]["scale"] == one["mixed_float16"]["scale"]
        written, single = (
            {name for name in found["save"]["files"] if not name.startswith("worker-")}
            for found in (rank, one)
        )
        assert written == single
