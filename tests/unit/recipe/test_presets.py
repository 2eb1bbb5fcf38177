"""What a preset fills in, and what it leaves alone."""

from typing import Any

import pytest

from kubefit.api.recipe import (
    EarlyStopping,
    Optimizer,
    Precision,
    Preset,
    Recipe,
    ScheduleKind,
    resolve,
)

VGG = {"backbone": {"name": "VGG16"}}
BLOCKS = {"blocks": [{"flatten": True}]}


def recipe(model: dict[str, Any] = VGG, *, split: float = 0.2, **changes: Any) -> Recipe:
    whole = {
        "data": {"train": {"folder": "x"}, "imageSize": [32, 32], "validationSplit": split},
        "model": model,
        "training": {"epochs": 10},
    }
    return Recipe.model_validate(whole | changes)


@pytest.mark.parametrize("preset", [None, *Preset])
@pytest.mark.parametrize("model", [VGG, BLOCKS])
def test_a_resolved_recipe_can_be_written_and_repeated(preset: Any, model: Any) -> None:
    resolved = resolve(recipe(model, preset=preset))
    assert resolve(resolved) == resolved
    wire = resolved.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert resolve(Recipe.model_validate(wire)) == resolved


@pytest.mark.parametrize("preset", [None, *Preset])
@pytest.mark.parametrize("epochs", [1, 2, 10])
def test_the_phases_have_the_epochs_asked_for(preset: Any, epochs: int) -> None:
    phases = resolve(recipe(preset=preset, training={"epochs": epochs})).training.phases
    assert sum(phase.epochs for phase in phases) == epochs


def test_without_a_preset_everything_is_as_in_keras() -> None:
    training = resolve(recipe()).training
    assert training.optimizer is Optimizer.ADAM
    assert training.weight_decay == 0.0
    assert training.precision is Precision.FLOAT32
    (phase,) = training.phases
    assert phase.unfreeze == "none"
    assert phase.schedule.kind is ScheduleKind.CONSTANT
    assert phase.learning_rate == 0.001
    assert resolve(recipe(training={"epochs": 1, "optimizer": "adamw"})).training.weight_decay > 0


@pytest.mark.parametrize(
    ("preset", "unfreeze"), [("fineTune", ["none", "all"]), ("smallData", ["none", "2 blocks"])]
)
def test_fine_tuning_starts_with_the_head(preset: str, unfreeze: list[str]) -> None:
    head, later = resolve(recipe(preset=preset)).training.phases
    assert [head.unfreeze, later.unfreeze] == unfreeze
    assert later.learning_rate < head.learning_rate
    assert later.early_stopping is not None


@pytest.mark.parametrize("model", [BLOCKS, {"backbone": {"name": "VGG16", "weights": "none"}}])
def test_without_pretrained_weights_there_is_one_phase_of_everything(model: Any) -> None:
    (phase,) = resolve(recipe(model, preset="fineTune")).training.phases
    assert phase.unfreeze == "all"


def test_explicit_fields_win() -> None:
    training = resolve(
        recipe(
            preset="fineTune",
            training={
                "phases": [{"epochs": 2}, {"epochs": 3, "unfreeze": "4 layers"}],
                "optimizer": "sgd",
                "learningRate": 0.5,
                "weightDecay": 0.0,
                "schedule": {"kind": "step"},
            },
        )
    ).training
    assert training.optimizer is Optimizer.SGD
    assert training.weight_decay == 0.0
    assert [phase.unfreeze for phase in training.phases] == ["none", "4 layers"]
    assert {phase.learning_rate for phase in training.phases} == {0.5}
    assert {phase.schedule.kind for phase in training.phases} == {ScheduleKind.STEP}


def test_an_explicit_learning_rate_is_that_of_the_head() -> None:
    head, later = resolve(
        recipe(preset="fineTune", training={"epochs": 10, "learningRate": 0.01})
    ).training.phases
    assert head.learning_rate == 0.01
    assert later.learning_rate == pytest.approx(0.003)


def test_augmentation_of_the_recipe_replaces_that_of_the_preset() -> None:
    assert resolve(recipe(preset="smallData")).augmentation.rotation > 0
    own = resolve(recipe(preset="smallData", augmentation={"zoom": 0.3})).augmentation
    assert (own.zoom, own.rotation) == (0.3, 0.0)


def test_validation_rows_of_a_manifest_let_a_preset_stop_early() -> None:
    found = resolve(recipe(preset="smallData", split=0.0), validates=True)
    assert {phase.early_stopping for phase in found.training.phases} == {EarlyStopping(patience=10)}
    assert resolve(found) == found


def test_without_validation_a_preset_does_not_stop_early() -> None:
    for phase in resolve(recipe(preset="fineTune", split=0.0)).training.phases:
        assert phase.early_stopping is None
