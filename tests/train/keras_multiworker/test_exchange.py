"""However the gradients travel, the model that comes out is as good; exactly, it is the same."""

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.train
SCENARIOS = Path(__file__).with_name("scenarios_exchange.py")
HALVES = {"KERAS_MULTIWORKER_EXCHANGE": "bfloat16"}
COLLECTIVES = {"KERAS_MULTIWORKER_TRANSPORT": "collectives"}


@pytest.fixture(scope="module")
def one(worker_group):
    return worker_group(SCENARIOS, workers=1)[0]["digits"]


@pytest.mark.parametrize("env", [{}, COLLECTIVES], ids=["ring", "collectives"])
def test_an_exact_exchange_gives_the_numbers_of_one_process(one, worker_group, env):
    for rank in worker_group(SCENARIOS, workers=2, env=env):
        np.testing.assert_allclose(rank["digits"]["logs"]["loss"], one["logs"]["loss"], rtol=2e-3)
        assert rank["digits"]["tested"]["accuracy"] == pytest.approx(
            one["tested"]["accuracy"], abs=0.01
        )


@pytest.mark.parametrize("env", [HALVES, HALVES | COLLECTIVES], ids=["ring", "collectives"])
def test_rounded_to_16_bits_training_converges_as_well(one, worker_group, env):
    chief, *others = (rank["digits"] for rank in worker_group(SCENARIOS, workers=2, env=env))
    assert one["tested"]["accuracy"] > 0.95
    assert chief["tested"]["accuracy"] > one["tested"]["accuracy"] - 0.02
    assert chief["logs"]["loss"][-1] == pytest.approx(one["logs"]["loss"][-1], rel=0.1)
    for other in others:
        for mine, chiefs in zip(other["weights"], chief["weights"], strict=True):
            np.testing.assert_array_equal(mine, chiefs)
