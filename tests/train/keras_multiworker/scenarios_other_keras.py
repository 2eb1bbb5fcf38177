"""A choice of scenarios that touches every repair, for another version of Keras."""

import keras
from scenarios_basic import scenario_from_function, scenario_numpy, scenario_two_fits
from scenarios_data import scenario_late_build, scenario_lengths
from scenarios_layers import scenario_synchronized_by_hand
from scenarios_optimizers import (
    scenario_accumulation,
    scenario_clipping,
    scenario_custom_train_step,
    scenario_losses,
    scenario_masks,
    scenario_mixed_float16,
    scenario_steps_per_execution,
)
from scenarios_programs import scenario_own_strategies
from scenarios_saving import scenario_callbacks, scenario_save, scenario_stop

__all__ = [
    "scenario_accumulation",
    "scenario_callbacks",
    "scenario_clipping",
    "scenario_custom_train_step",
    "scenario_from_function",
    "scenario_late_build",
    "scenario_lengths",
    "scenario_losses",
    "scenario_masks",
    "scenario_mixed_float16",
    "scenario_numpy",
    "scenario_own_strategies",
    "scenario_save",
    "scenario_steps_per_execution",
    "scenario_stop",
    "scenario_synchronized_by_hand",
    "scenario_two_fits",
]


def scenario_version(directory):
    return keras.__version__
