import keras
import numpy as np
import pytest

from kubefit.api.recipe import Backbone, PretrainedBackbone, Recipe
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import network as shapes
from kubefit_trainer.recipe import backbones, network

CLASSIC = [
    {"conv": 32},
    {"pool": 2},
    {"conv": 64},
    {"pool": 2},
    {"conv": 128},
    {"pool": 2},
    {"flatten": True},
    {"dense": 512},
]


def recipe(model: dict, size: tuple[int, int] = (32, 32), **training: object) -> Recipe:
    return Recipe.model_validate(
        {
            "data": {"train": {"folder": "x"}, "imageSize": list(size)},
            "model": model,
            "training": {"epochs": 1, **training},
        }
    )


def built(spec: Recipe, classes: int = 10) -> keras.Model:
    shapes.check(spec, classes=classes)
    return network.build(spec, classes=classes, weights=None)


def pixels(count: int, size: tuple[int, int] = (32, 32)) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, *size, 3)).astype(np.float32)


def test_the_classic_network_has_its_forty_four_million_weights() -> None:
    model = built(recipe({"blocks": CLASSIC}, size=(224, 224)), classes=2)
    convolutions = (9 * 3 + 1) * 32 + (9 * 32 + 1) * 64 + (9 * 64 + 1) * 128
    dense = (26 * 26 * 128 + 1) * 512 + (512 + 1) * 2
    assert model.count_params() == convolutions + dense
    assert model.output_shape == (None, 2)


def test_every_kind_of_block_builds_and_trains_a_step() -> None:
    blocks = [
        {"conv": 4, "kernel": 5, "activation": "gelu"},
        {"batchNorm": True},
        {"pool": 2},
        {"conv": 4, "activation": "linear"},
        {"globalPool": True},
        {"flatten": True},
        {"dropout": 0.5},
        {"dense": 8, "activation": "tanh"},
    ]
    model = built(recipe({"blocks": blocks}))
    history = model.fit(pixels(4), np.arange(4), epochs=1, verbose=0).history
    assert set(history) == {"loss", "accuracy"}
    assert np.isfinite(history["loss"]).all()
    np.testing.assert_allclose(model(pixels(3)).numpy().sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("loss", ["auto", "binary_crossentropy"])
def test_sigmoid_is_the_probability_of_the_second_class(loss: str) -> None:
    spec = recipe({"blocks": [{"flatten": True}], "output": "sigmoid"}, loss=loss)
    keras.utils.set_random_seed(0)
    model = built(spec, classes=2)
    assert model.output_shape == (None, 1)
    x, y = pixels(32), np.arange(32) % 2
    x[y == 1] /= 4
    model.fit(x, y, epochs=100, verbose=0)
    assert model.evaluate(x, y, return_dict=True, verbose=0)["accuracy"] > 0.9


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("adam", keras.optimizers.Adam),
        ("adamw", keras.optimizers.AdamW),
        ("sgd", keras.optimizers.SGD),
        ("rmsprop", keras.optimizers.RMSprop),
    ],
)
def test_optimizer_and_learning_rate_are_those_asked_for(name: str, kind: type) -> None:
    spec = recipe({"blocks": [{"flatten": True}]}, optimizer=name, learningRate=0.25)
    optimizer = built(spec).optimizer
    assert type(optimizer) is kind
    assert float(optimizer.learning_rate) == 0.25


@pytest.mark.parametrize("name", list(Backbone))
def test_each_backbone_gets_the_pixels_that_its_family_expects(name: Backbone) -> None:
    modules = {
        Backbone.DENSENET121: "densenet",
        Backbone.INCEPTION_V3: "inception_v3",
        Backbone.MOBILENET: "mobilenet",
        Backbone.MOBILENET_V2: "mobilenet_v2",
        Backbone.RESNET50: "resnet",
        Backbone.RESNET101: "resnet",
        Backbone.RESNET152: "resnet",
        Backbone.RESNET50_V2: "resnet_v2",
        Backbone.RESNET101_V2: "resnet_v2",
        Backbone.RESNET152_V2: "resnet_v2",
        Backbone.VGG16: "vgg16",
        Backbone.VGG19: "vgg19",
        Backbone.XCEPTION: "xception",
        Backbone.CONVNEXT_TINY: "convnext",
        Backbone.EFFICIENTNET_B0: "efficientnet",
        Backbone.EFFICIENTNET_V2_B0: "efficientnet_v2",
        Backbone.EFFICIENTNET_V2_S: "efficientnet_v2",
        Backbone.MOBILENET_V3_LARGE: "mobilenet_v3",
        Backbone.MOBILENET_V3_SMALL: "mobilenet_v3",
    }
    expected = getattr(keras.applications, modules[name]).preprocess_input(pixels(2).copy())
    found = keras.ops.convert_to_numpy(backbones.preprocess(name, keras.ops.array(pixels(2))))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fine_tune", [False, True])
def test_a_backbone_without_weights_trains_a_step(fine_tune: bool) -> None:
    wanted = {"name": "MobileNet", "weights": "none", "fineTune": fine_tune}
    model = built(recipe({"backbone": wanted}), classes=3)
    base = model.get_layer("MobileNet")
    before = [w.copy() for w in base.get_weights()]
    head = model.get_layer("probabilities").bias.numpy().copy()
    model.fit(pixels(4), np.array([0, 1, 2, 0]), epochs=1, verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, base.get_weights(), strict=True)]
    assert any(changed) is fine_tune
    assert not np.array_equal(head, model.get_layer("probabilities").bias.numpy())


def test_weights_of_a_file_are_taken_and_stay_frozen(tmp_path) -> None:
    source = keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg"
    )
    source.save_weights(tmp_path / "mobile.weights.h5")
    wanted = {"name": "MobileNet", "weights": "mobile.weights.h5"}
    spec = recipe({"backbone": wanted})
    weights = backbones.load_weights(spec.model.backbone, input_shape=(32, 32, 3), volume=tmp_path)
    model = network.build(spec, classes=3, weights=weights)
    model.fit(pixels(4), np.array([0, 1, 2, 0]), epochs=1, verbose=0)
    kept = model.get_layer("MobileNet").get_weights()
    for one, other in zip(source.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_file_without_fitting_weights_is_named(tmp_path) -> None:
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    other.save_weights(tmp_path / "other.weights.h5")
    (tmp_path / "text.h5").write_text("hello")
    for file in ("other.weights.h5", "text.h5"):
        spec = PretrainedBackbone(name=Backbone.MOBILENET, weights=file)
        with pytest.raises(ConfigurationError) as raised:
            backbones.load_weights(spec, input_shape=(32, 32, 3), volume=tmp_path)
        assert str(raised.value).startswith("spec.recipe.model.backbone.weights: ")
        assert file in str(raised.value)
        assert "\n" not in str(raised.value)


def test_without_network_the_missing_imagenet_weights_are_one_sentence(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.config, "_keras_home", str(tmp_path), raising=False)
    spec = PretrainedBackbone(name=Backbone.MOBILENET, weights="imagenet")
    with pytest.raises(ConfigurationError) as raised:
        backbones.load_weights(spec, input_shape=(96, 128, 3), volume=tmp_path)
    said = str(raised.value)
    assert said.startswith("spec.recipe.model.backbone.weights: the imagenet weights of MobileNet")
    assert "\n" not in said
