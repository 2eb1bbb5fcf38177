"""Weights of an earlier training are given to a model of the same shape, and nothing else is."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kubefit.api.contract import RunConfig
from kubefit.api.initial_weights import InitialWeights
from kubefit_trainer.checkpoints import snapshot
from kubefit_trainer.checkpoints.initial import Initial
from kubefit_trainer.checkpoints.snapshot import Place, Snapshot
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.keras_multiworker import model_state

layers = keras.layers


def network(*between: keras.layers.Layer, units: int = 3) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8, name="first"),
            *between,
            layers.BatchNormalization(name="scale"),
            layers.Dense(units, name="head"),
        ]
    )
    model.compile("adam", "mse", metrics=["mae"])
    return model


@pytest.fixture(scope="module")
def trained() -> keras.Model:
    model = network(layers.Dropout(0.2))
    model.fit(np.ones((8, 4)), np.ones((8, 3)), epochs=2, verbose=0)
    return model


@pytest.fixture(scope="module")
def volume(tmp_path_factory, trained: keras.Model) -> Path:
    folder = tmp_path_factory.mktemp("volume")
    trained.save(folder / "a.keras")
    trained.save_weights(folder / "a.weights.h5")
    names = model_state.describe(trained)
    variables = [*trained.weights, *trained.optimizer.variables]
    arrays = {
        key: np.array(variable)
        for key, variable in zip(
            [key for key in names if not key.startswith("state/")], variables, strict=True
        )
    }
    kept = Snapshot(place=Place(fit=0, model=0, epoch=0, step=2), names=names, arrays=arrays)
    snapshot.write(kept, folder).rename(folder / "a.npz")
    return folder


FILES = pytest.mark.parametrize("file", ["a.npz", "a.keras", "a.weights.h5"])


def give(model: Any, volume: Path, file: str) -> int:
    """How often it was told that the weights were given."""
    config = RunConfig(
        namespace="ml",
        name="next",
        workers=1,
        hosts="localhost",
        volume_dir=str(volume),
        job_dir=str(volume),
        initial_weights=InitialWeights(path=file),
    )
    given: list[None] = []
    initial = Initial(config, given=lambda: given.append(None))
    initial.give(model)
    initial.give(model)
    return len(given)


@FILES
def test_a_model_gets_the_weights_once_and_keeps_all_else(
    trained: keras.Model, volume: Path, file: str
) -> None:
    model = network(layers.Dropout(0.5))
    model.fit(np.ones((8, 4)), np.ones((8, 3)), verbose=0)
    weights = {id(weight) for weight in model.weights}
    others = [v for v in [*model.variables, *model.optimizer.variables] if id(v) not in weights]
    before = [np.array(variable) for variable in others]
    assert give(model, volume, file) == 1
    for mine, theirs in zip(model.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for variable, value in zip(others, before, strict=True):
        np.testing.assert_array_equal(np.array(variable), value, err_msg=variable.path)


@FILES
def test_layers_without_weights_may_differ(trained: keras.Model, volume: Path, file: str) -> None:
    model = network(layers.Activation("relu"))
    give(model, volume, file)
    np.testing.assert_array_equal(model.get_weights()[-2], trained.get_weights()[-2])


@FILES
def test_another_shape_names_the_layer_and_both_shapes(volume: Path, file: str) -> None:
    said = refused(network(units=5), volume, file)
    assert said.startswith(f"spec.initialWeights.path: {volume / file} does not fit: its weight ")
    assert "head" in said
    assert "(8, 3)" in said
    assert "(8, 5)" in said


@FILES
def test_a_layer_too_few_or_too_many_is_named(volume: Path, file: str) -> None:
    assert "scale" in refused(
        keras.Sequential([keras.Input((4,)), layers.Dense(8), layers.Dense(3)]), volume, file
    )
    assert "own" in refused(network(layers.Dense(8, name="own")), volume, file)


def refused(model: Any, volume: Path, file: str) -> str:
    before = model.get_weights()
    with pytest.raises(ConfigurationError) as caught:
        give(model, volume, file)
    for mine, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, old)
    assert "\n" not in str(caught.value)
    return str(caught.value)
