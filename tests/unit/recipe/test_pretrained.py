"""Backbones from names, files and programs, and the weights they start from."""

import hashlib
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras.src.applications import efficientnet

from kubefit.api.recipe import PretrainedBackbone
from kubefit_trainer import keras_multiworker
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.recipe import backbones, pretrained

SHAPE = (32, 32, 3)


def spec(**fields: object) -> PretrainedBackbone:
    return PretrainedBackbone.model_validate(fields)


def tiny() -> keras.Model:
    """A residual network with a classifier on top, as somebody may have saved it."""
    layers = keras.layers
    inputs = keras.Input(SHAPE)
    x = layers.Conv2D(4, 3, strides=4, name="stem")(inputs)
    x = layers.add([x, layers.Conv2D(4, 3, padding="same", name="branch")(x)], name="sum")
    pooled = layers.GlobalAveragePooling2D(name="pooled")(x)
    return keras.Model(inputs, layers.Dense(7, name="classifier")(pooled))


def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, *SHAPE)).astype(np.float32)


def backbone(wanted: PretrainedBackbone, volume: Path) -> keras.Model:
    """What a worker makes of it."""
    start = pretrained.load(wanted, input_shape=SHAPE, volume=volume)
    whole = backbones.network(wanted, SHAPE, architecture=start.architecture)
    base = backbones.cut(wanted, whole, SHAPE)
    if start.values is not None:
        base.set_weights(start.values)
    keras_multiworker.weights_from_chief(base)
    return base


def refused(wanted: PretrainedBackbone, volume: Path) -> str:
    with pytest.raises(ConfigurationError) as raised:
        backbone(wanted, volume)
    said = str(raised.value)
    assert said.startswith("spec.recipe.")
    assert "\n" not in said
    return said


@pytest.fixture(scope="module")
def volume(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("volume")
    tiny().save(folder / "tiny.keras")
    network = keras.applications.VGG16(include_top=False, weights=None, input_shape=SHAPE)
    for layer in network.layers[:-2]:
        layer.trainable = False
    network.save_weights(folder / "vgg16.weights.h5")
    (folder / "one").mkdir()
    (folder / "one" / "any.weights.h5").hardlink_to(folder / "vgg16.weights.h5")
    (folder / "many").mkdir()
    for name in ("vgg16_weights_notop.h5", "vgg16_weights.h5", "vgg19_weights_notop.h5"):
        (folder / "many" / name).hardlink_to(folder / "vgg16.weights.h5")
    for path in folder.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return folder


@pytest.mark.parametrize("weights", ["vgg16.weights.h5", "one"])
def test_weights_of_a_read_only_file_or_folder_are_taken(volume: Path, weights: str) -> None:
    found = backbone(spec(name="VGG16", weights=weights), volume)
    source = keras.applications.VGG16(include_top=False, weights=None, input_shape=SHAPE)
    source.load_weights(volume / "vgg16.weights.h5")
    for one, other in zip(source.get_weights(), found.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_folder_of_many_has_the_file_with_the_name_of_the_network(volume: Path) -> None:
    from kubefit_trainer.preflight import weights

    found = weights.find(spec(name="VGG16", weights="many"), volume)
    assert found.name == "vgg16_weights_notop.h5"
    with pytest.raises(ConfigurationError, match=r"one weights file .* of ResNet50, but has none"):
        weights.find(spec(name="ResNet50", weights="many"), volume)


def test_the_checksum_of_a_file_is_compared(volume: Path) -> None:
    right = hashlib.sha256((volume / "tiny.keras").read_bytes()).hexdigest()
    backbone(spec(saved="tiny.keras", sha256=right), volume)
    said = refused(spec(saved="tiny.keras", sha256="0" * 64), volume)
    assert said.startswith("spec.recipe.model.backbone.sha256: ")
    assert right in said


def test_a_saved_model_gives_the_features_of_the_layer_asked_for(volume: Path) -> None:
    whole = keras.models.load_model(volume / "tiny.keras")
    expected = keras.Model(whole.input, whole.get_layer("pooled").output)(pixels())
    found = backbone(spec(saved="tiny.keras", layer="pooled"), volume)
    np.testing.assert_allclose(found(pixels()), expected, rtol=1e-6)
    assert backbone(spec(saved="tiny.keras"), volume).output_shape == (None, 7)
    assert backbone(spec(saved="tiny.keras", layer="sum"), volume).output_shape[-1] == 4


def test_a_function_of_the_image_builds_the_network(volume: Path, monkeypatch, tmp_path) -> None:
    (tmp_path / "networks_of_mine.py").write_text(
        "import keras\n"
        "def small(input_shape):\n"
        "    return keras.Sequential([keras.Input(input_shape), keras.layers.Conv2D(5, 3)])\n"
        "def wrong(input_shape):\n"
        "    return 3\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert backbone(spec(function="networks_of_mine:small"), volume).output_shape[-1] == 5
    assert "returned int" in refused(spec(function="networks_of_mine:wrong"), volume)
    assert "cannot be imported" in refused(spec(function="networks_of_mine:missing"), volume)
    assert "cannot be imported" in refused(spec(function="no_such_module:small"), volume)


@pytest.mark.parametrize("name", ["VGG19", "ResNet50"])
def test_weights_of_another_network_are_named(volume: Path, name: str) -> None:
    said = refused(spec(name=name, weights="vgg16.weights.h5"), volume)
    assert f"vgg16.weights.h5 does not hold weights of {name} without its top: " in said


def test_the_layer_whose_weights_have_another_shape_is_named(tmp_path: Path) -> None:
    def network(filters: int) -> keras.Model:
        layers = [keras.layers.Conv2D(filters, 3, name="only_one"), keras.layers.Flatten()]
        return keras.Sequential([keras.Input(SHAPE), *layers])

    network(5).save_weights(tmp_path / "of_keras_3.weights.h5")
    network(5).save(tmp_path / "of_keras_2.h5")
    for file in ("of_keras_3.weights.h5", "of_keras_2.h5"):
        with pytest.raises(ConfigurationError) as raised:
            pretrained._load_into(network(4), tmp_path / file, label="mine")
        said = str(raised.value)
        assert "\n" not in said
        for words in ("only_one", "(3, 3, 3, 4)", "(3, 3, 3, 5)"):
            assert words in said, said


def test_a_preset_without_keras_hub_is_refused_with_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub/config.json").write_text('{"registered_name": "keras_hub>ResNetBackbone"}')
    said = refused(spec(kerasHub="hub"), tmp_path)
    assert "hub has no model.weights.h5" in said
    (tmp_path / "hub/model.weights.h5").touch()
    said = refused(spec(kerasHub="hub"), tmp_path)
    assert said.startswith("spec.recipe.model.backbone.kerasHub: the image has no usable package")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (None, "config.json cannot be read"),
        ("{", "config.json cannot be read"),
        ('{"model_type": "vit"}', "describes no model of Keras"),
        ('{"registered_name": "Functional"}', "describes Functional, not a backbone of KerasHub"),
    ],
)
def test_a_folder_that_is_no_preset_is_refused(tmp_path: Path, config: str, words: str) -> None:
    (tmp_path / "hub").mkdir()
    if config is not None:
        (tmp_path / "hub/config.json").write_text(config)
    assert words in refused(spec(kerasHub="hub"), tmp_path)


def test_files_that_are_none_are_named(tmp_path: Path) -> None:
    for file in ("text.h5", "text.weights.h5", "text.keras"):
        (tmp_path / file).write_text("hello")
        said = refused(spec(name="VGG16", weights=file), tmp_path)
        assert file in said
    assert "cannot be loaded as a Keras model" in refused(spec(saved="text.keras"), tmp_path)
    assert "is not a file" in refused(spec(saved="missing.keras"), tmp_path)


def test_a_saved_model_for_other_images_is_refused(volume: Path) -> None:
    wanted = spec(saved="tiny.keras")
    start = pretrained.load(wanted, input_shape=SHAPE, volume=volume)
    whole = backbones.network(wanted, SHAPE, architecture=start.architecture)
    with pytest.raises(ConfigurationError, match=r"takes inputs of shape \(32, 32, 3\), not the"):
        backbones.cut(wanted, whole, (64, 64, 3))


def test_a_layer_that_is_not_there_is_named_with_the_last_ones(volume: Path) -> None:
    assert "pooled, classifier" in refused(spec(saved="tiny.keras", layer="top"), volume)


def test_efficientnet_sees_its_pixels_as_the_weights_of_imagenet_want_them(
    tmp_path: Path, monkeypatch
) -> None:
    build = keras.applications.EfficientNetB0
    source = build(include_top=False, weights=None, input_shape=SHAPE)
    for weight in source.weights:
        if weight.path.endswith("normalization/mean"):
            weight.assign(np.reshape([0.485, 0.456, 0.406], weight.shape))
        if weight.path.endswith("normalization/variance"):
            weight.assign(np.reshape([0.229, 0.224, 0.225], weight.shape))
    file = tmp_path / "efficientnet.weights.h5"
    source.save_weights(file)
    monkeypatch.setattr(efficientnet.file_utils, "get_file", lambda *_, **__: str(file))
    of_keras = build(include_top=False, weights="imagenet", input_shape=SHAPE)
    expected = of_keras(pixels()).numpy()
    assert not np.allclose(source(pixels()), expected, rtol=1e-2)
    for weights in ("imagenet", file.name):
        found = backbone(spec(name="EfficientNetB0", weights=weights), tmp_path)
        np.testing.assert_allclose(found(pixels()), expected, rtol=1e-3, atol=1e-5)


def test_without_network_the_missing_imagenet_weights_are_one_sentence(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setattr(keras.config, "_keras_home", str(tmp_path), raising=False)
    said = refused(spec(name="MobileNet", weights="imagenet"), tmp_path)
    assert said.startswith("spec.recipe.model.backbone.weights: the imagenet weights of MobileNet")
