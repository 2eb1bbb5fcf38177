"""Blocks of networks, and which of them learn."""

import keras
import numpy as np
import pytest

from kubefit.api.recipe import PretrainedBackbone
from kubefit_trainer.recipe import backbones
from kubefit_trainer.recipe.blocks import blocks
from kubefit_trainer.recipe.unfreezing import rates, unfreeze

KNOWN = {
    "VGG16": (5, "block5_conv1"),
    "ResNet50": (1 + 16, "conv5_block3_1_conv"),
    "DenseNet121": (1 + 6 + 12 + 24 + 16, "conv5_block16_0_bn"),
    "InceptionV3": (1 + 11, None),
    "ConvNeXtTiny": (1 + 3 + 3 + 9 + 3, "convnext_tiny_stage_3_block_2_depthwise_conv"),
    "MobileNetV2": (1 + 10, "block_15_expand"),
}
"""Blocks as in the papers, the stem one of them, and the first layer of the last.

MobileNetV2 has ten blocks with a shortcut; those without belong to the one before.
"""


def named(name: str) -> keras.Model:
    build = getattr(keras.applications, name)
    return build(weights=None, include_top=False, input_shape=(96, 96, 3), pooling="avg")


def learning(model: keras.Model) -> set[str]:
    return {layer.name for layer in model.layers if layer.trainable_weights}


@pytest.fixture(scope="module")
def mobile() -> keras.Model:
    return named("MobileNetV2")


@pytest.mark.parametrize("name", KNOWN)
def test_blocks_are_those_of_the_paper(name: str) -> None:
    model = named(name)
    found = blocks(model)
    count, first = KNOWN[name]
    assert len(found) == count
    assert [layer for block in found for layer in block] == list(model.layers)
    weighted = [layer.name for layer in found[-1] if layer.weights]
    assert first is None or weighted[0] == first


def test_a_chain_has_a_block_for_each_layer_with_weights() -> None:
    dense, dropout = keras.layers.Dense, keras.layers.Dropout
    model = keras.Sequential([keras.Input((4,)), dense(3), dropout(0.1), dense(2)])
    weighted = [[x for x in block if x.weights] for block in blocks(model)]
    assert weighted == [[model.layers[0]], [model.layers[2]]]


def test_nothing_and_everything(mobile: keras.Model) -> None:
    unfreeze(mobile, "none", keep_statistics=True)
    assert mobile.trainable_weights == []
    unfreeze(mobile, "all", keep_statistics=False)
    assert len(mobile.trainable_weights) == sum(
        len([w for w in layer.weights if "moving" not in w.path]) for layer in mobile.layers
    )


def test_depth_is_counted_from_the_head(mobile: keras.Model) -> None:
    unfreeze(mobile, "1 block", keep_statistics=False)
    one = learning(mobile)
    unfreeze(mobile, "2 blocks", keep_statistics=False)
    assert one < learning(mobile)
    assert "Conv_1" in one
    assert "block_15_expand" in one
    assert "block_14_expand" not in one
    unfreeze(mobile, "3 layers", keep_statistics=False)
    assert learning(mobile) == {"block_16_project_BN", "Conv_1", "Conv_1_bn"}
    unfreeze(mobile, "9999 layers", keep_statistics=False)
    assert learning(mobile) == {layer.name for layer in mobile.layers if layer.weights}


def test_pretrained_statistics_stay_while_the_layers_around_learn(mobile: keras.Model) -> None:
    unfreeze(mobile, "all", keep_statistics=True)
    assert "Conv_1" in learning(mobile)
    assert not any(
        layer.trainable_weights
        for layer in mobile.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    )
    before = [w.copy() for w in mobile.get_weights()]
    mobile(np.random.default_rng(0).normal(size=(2, 96, 96, 3)), training=True)
    for one, other in zip(before, mobile.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_frozen_layers_drop_nothing() -> None:
    model = named("EfficientNetB0")
    drops = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    rates_before = [layer.rate for layer in drops]
    assert max(rates_before) > 0
    unfreeze(model, "none", keep_statistics=True)
    assert {layer.rate for layer in drops} == {0.0}
    unfreeze(model, "all", keep_statistics=True)
    assert [layer.rate for layer in drops] == rates_before


def test_each_block_learns_slower_than_the_one_above(mobile: keras.Model) -> None:
    unfreeze(mobile, "all", keep_statistics=True)
    found = {variable.path: rate for variable, rate in rates(mobile, 0.5)}
    assert found[mobile.get_layer("Conv_1").kernel.path] == 0.5
    assert found[mobile.get_layer("block_14_expand").kernel.path] == 0.25
    assert found[mobile.get_layer("Conv1").kernel.path] == 0.5**11
    assert len(found) == len(mobile.trainable_weights)


def test_stochastic_depth_leaves_out_more_of_the_later_branches() -> None:
    spec = PretrainedBackbone.model_validate(
        {"name": "EfficientNetB0", "weights": "none", "stochasticDepth": 0.4}
    )
    inputs = keras.Input((32, 32, 3))
    base = keras.Model(inputs, backbones.features(spec, inputs)).get_layer(backbones.LAYER)
    rates = [layer.rate for layer in base.layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == sorted(rates)
    assert (rates[0] < 0.1, rates[-1]) == (True, pytest.approx(0.4))
    branch = next(
        layer for layer in reversed(base.layers) if isinstance(layer, keras.layers.Dropout)
    )
    whole = np.ones((64, 2, 2, 3), np.float32)
    kept = branch(whole, training=True).numpy()
    assert {len(np.unique(image)) for image in kept} == {1}
    assert 0 < np.count_nonzero(kept[:, 0, 0, 0] == 0) < 64
