"""Callbacks that know nothing of workers see and write what they would on one process."""

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.train
SCENARIOS = Path(__file__).with_name("scenarios_callbacks.py")


def test_user_callbacks_read_the_logs_of_one_process(one, many):
    for rank in many:
        assert len(rank["logs"]["seen"]) == len(one["logs"]["seen"])
        for (where, logs), (expected, single) in zip(
            rank["logs"]["seen"], one["logs"]["seen"], strict=True
        ):
            assert where == expected
            assert logs == pytest.approx(single, rel=1e-4, abs=1e-5), where


def test_lambda_callbacks_decide_the_same_everywhere(one, many):
    for rank in many:
        assert rank["logs"]["lines"] == many[0]["logs"]["lines"]
        np.testing.assert_allclose(rank["logs"]["rates"], one["logs"]["rates"], rtol=1e-6)


def test_a_nan_on_one_worker_ends_the_training_of_all_at_the_same_step(one, many):
    assert one["nan"]["epochs"] == 1
    for rank in many:
        assert rank["nan"] == one["nan"]


def test_every_mode_of_model_checkpoint_writes_what_it_does_on_one_process(one, many):
    single = one["checkpoints"]
    assert len(single["saved"]) >= 7
    assert "never.weights.h5" not in single["saved"]
    for rank in many:
        assert rank["checkpoints"]["saved"].keys() == single["saved"].keys()
        for name, weights in single["saved"].items():
            for mine, theirs in zip(rank["checkpoints"]["saved"][name], weights, strict=True):
                np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5, err_msg=name)
        assert rank["checkpoints"]["iterations"] == single["iterations"]
        assert rank["checkpoints"]["evaluated"] == pytest.approx(single["evaluated"], rel=1e-4)


def test_tensorboard_has_one_writer_and_the_global_numbers(one, many):
    single = one["tensorboard"]
    assert any("histogram" in tag for tag in single["scalars"])
    for rank in many:
        assert rank["tensorboard"]["writers"] == single["writers"]
        assert rank["tensorboard"]["scalars"].keys() == single["scalars"].keys()
        for tag, values in single["scalars"].items():
            mine = rank["tensorboard"]["scalars"][tag]
            assert len(mine) == len(values), tag
            if None not in values and "steps_per_second" not in tag:
                assert mine == pytest.approx(values, rel=1e-4, abs=1e-5), tag


def test_no_call_waits_for_the_deletion_of_an_iterator(one, many):
    for rank in [one, *many]:
        assert rank["deletion"]["made"] >= 10
        # The first deletion is under way, on another thread, and holds all that come after it.
        assert rank["deletion"]["begun"] == ["tf-data-reaper"]
