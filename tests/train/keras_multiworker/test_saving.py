"""Files of a program that saves and logs on every worker: one writer, whole, with global state."""

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.train
SCENARIOS = Path(__file__).with_name("scenarios_saving.py")


def assert_same_weights(a, b, **tolerance):
    for left, right in zip(a, b, strict=True):
        np.testing.assert_allclose(left, right, **{"rtol": 0, "atol": 0, **tolerance})


def test_every_worker_saves_loads_and_goes_on(one, many):
    for rank in many:
        saved = rank["save"]
        assert_same_weights(saved["weights"], saved["fresh"])
        np.testing.assert_allclose(saved["served"], saved["predicted"], rtol=1e-5, atol=1e-6)
        for mine, single in zip(saved["loaded"], one["save"]["loaded"], strict=True):
            assert_same_weights(mine["weights"], single["weights"], rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(mine["logs"]["loss"], single["logs"]["loss"], rtol=1e-4)


def test_saving_leaves_no_temporary_files(many):
    for rank in many:
        assert not [name for name in rank["save"]["files"] if name.startswith(".")]


def test_a_chief_that_saves_alone_waits_for_nobody(one, many):
    for rank in many:
        logs, single = rank["chief_only"]["logs"], one["chief_only"]["logs"]
        np.testing.assert_allclose(logs["loss"], single["loss"], rtol=1e-4)


def test_callbacks_decide_the_same_on_all_workers(many):
    for rank in many[1:]:
        assert rank["callbacks"]["logs"] == many[0]["callbacks"]["logs"]
        assert_same_weights(rank["callbacks"]["weights"], many[0]["callbacks"]["weights"])


def test_callbacks_have_one_writer_per_file(one, many):
    for rank in many:
        assert rank["callbacks"]["files"] == one["callbacks"]["files"]
        assert rank["callbacks"]["events"] == one["callbacks"]["events"]
        assert len(rank["callbacks"]["csv"]) == len(one["callbacks"]["csv"]) == 4
        assert rank["callbacks"]["backup"]["epoch"] == 3


def test_saved_statistics_are_those_of_all_workers(many):
    for rank in many[1:]:
        assert_same_weights(rank["callbacks"]["saved"], many[0]["callbacks"]["saved"])


def test_a_restored_backup_goes_on_as_if_never_interrupted(one, many):
    for rank in [one, *many]:
        resumed = rank["backup_and_restore"]
        assert_same_weights(resumed["resumed"], resumed["whole"], rtol=1e-5, atol=1e-6)


def test_a_stop_asked_for_on_one_worker_stops_all_at_the_same_step(many):
    assert all(rank["stop"] == many[0]["stop"] for rank in many)
    (steps, epochs), (_, at_the_end) = many[0]["stop"]
    assert (steps, epochs, at_the_end) == (3, 1, 1)
