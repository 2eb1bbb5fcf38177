"""Random layers draw per rank; synchronized statistics are those of one process."""

import itertools
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.train
SCENARIOS = Path(__file__).with_name("scenarios_layers.py")
AUGMENTATIONS = (
    "flip",
    "rotation",
    "zoom",
    "translation",
    "contrast",
    "brightness",
    "noise",
    "spatial_dropout",
)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentation_differs_between_ranks_and_repeats_from_the_seed(one, many, name):
    for rank in many:
        first, again = rank["augmentation"][name]
        np.testing.assert_array_equal(first, again)
        assert (first != 0).any()
    for a, b in itertools.combinations(many, 2):
        assert (a["augmentation"][name][0] != b["augmentation"][name][0]).any()


def test_statistics_are_global_after_each_of_two_phases(one, many):
    for rank in many:
        np.testing.assert_array_equal(rank["two_phases"], many[0]["two_phases"])
        for (mean, _), (single, _) in zip(rank["two_phases"], one["two_phases"], strict=True):
            np.testing.assert_allclose(mean, single, rtol=0.3, atol=0.3)


@pytest.mark.parametrize(
    "program",
    [
        "synchronized",
        "synchronized_by_hand",
        "synchronized_in_own_step",
        "synchronized_on_own_rows",
    ],
)
def test_synchronized_statistics_and_losses_are_those_of_one_process(one, many, program):
    single = one[program]
    for rank in many:
        mine = rank[program]
        np.testing.assert_allclose(mine["logs"]["loss"], single["logs"]["loss"], rtol=1e-5)
        for a, b in zip(mine["weights"], single["weights"], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
        for a, b in zip(mine["weights"], many[0][program]["weights"], strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_synchronized_network_is_evaluated_as_on_one_process(one, many):
    for rank in many:
        assert rank["synchronized"]["evaluated"] == pytest.approx(
            one["synchronized"]["evaluated"], rel=1e-4
        )
