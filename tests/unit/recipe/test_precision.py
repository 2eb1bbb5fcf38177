"""The number format of the layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kubefit.api.recipe import Precision, Recipe, resolve
from kubefit_trainer.recipe import network, precision


@pytest.mark.parametrize(
    ("wanted", "computes"),
    [("float32", "float32"), ("bfloat16", "bfloat16"), ("float16", "float16"), ("auto", "float32")],
)
def test_layers_compute_as_asked_and_weights_stay_float32(wanted: str, computes: str) -> None:
    recipe = resolve(
        Recipe.model_validate(
            {
                "data": {"train": {"folder": "x"}, "imageSize": [8, 8]},
                "model": {"blocks": [{"conv": 4}, {"batchNorm": True}, {"globalPool": True}]},
                "training": {"epochs": 1, "precision": wanted},
            }
        )
    )
    before = keras.config.dtype_policy()
    model = network.build(recipe, classes=3)
    assert keras.config.dtype_policy() is before
    convolution = next(x for x in model.layers if isinstance(x, keras.layers.Conv2D))
    assert convolution.compute_dtype == computes
    assert {weight.dtype for weight in model.trainable_weights} == {"float32"}
    assert model(np.zeros((1, 8, 8, 3), np.float32)).dtype == tf.float32
    network.prepare(model, recipe, recipe.training.phases[0], steps_per_epoch=2)
    images = np.random.default_rng(0).uniform(0, 255, (8, 8, 8, 3)).astype(np.float32)
    history = model.fit(images, np.arange(8) % 3, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_a_saved_backbone_computes_as_the_recipe_asks() -> None:
    inputs = keras.Input((8, 8, 3))
    saved = keras.Model(inputs, keras.layers.Conv2D(4, 3, name="convolution")(inputs))
    recipe = resolve(
        Recipe.model_validate(
            {
                "data": {"train": {"folder": "x"}, "imageSize": [8, 8]},
                "model": {"backbone": {"saved": "any.keras"}},
                "training": {"epochs": 1, "precision": "bfloat16"},
            }
        )
    )
    model = network.build(recipe, classes=3, architecture=saved.to_json())
    convolution = model.get_layer("backbone").get_layer("convolution")
    assert convolution.compute_dtype == "bfloat16"
    assert convolution.kernel.dtype == "float32"
    assert model(np.zeros((1, 8, 8, 3), np.float32)).dtype == tf.float32


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [([], False), ([(7, 5)], False), ([(8, 0)], True), ([(9, 0), (8, 6)], True), ([None], False)],
)
def test_auto_takes_bfloat16_where_every_gpu_has_it(monkeypatch, capabilities, expected) -> None:
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda gpu: {"compute_capability": gpu}
    )
    assert precision._has_bfloat16(capabilities) is expected


def test_auto_is_float32_on_cpus() -> None:
    assert precision.policy(Precision.AUTO).name == "float32"
