import inspect
import sys

import keras
import numpy as np
import pytest

from kubefit.api.recipe import Backbone, Recipe, resolve
from kubefit_trainer.preflight import network as shapes
from kubefit_trainer.recipe import network, preprocessing

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
    shapes.check(spec, classes=classes, validates=False)
    spec = resolve(spec)
    model = network.build(spec, classes=classes)
    network.prepare(model, spec, spec.training.phases[0], steps_per_epoch=1)
    return model


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
    assert isinstance(optimizer, kind)
    assert float(optimizer.learning_rate) == 0.25


def test_every_network_of_keras_applications_can_be_named() -> None:
    public = {name for name, it in vars(keras.applications).items() if inspect.isfunction(it)}
    assert {name.value for name in Backbone} == public


@pytest.mark.parametrize("name", list(Backbone))
def test_each_backbone_gets_the_pixels_that_its_family_expects(name: Backbone) -> None:
    family = sys.modules[getattr(keras.applications, name).__module__]
    expected = family.preprocess_input(pixels(2).copy())
    kind = preprocessing.of_family(name)
    found = keras.ops.convert_to_numpy(preprocessing.preprocess(kind, keras.ops.array(pixels(2))))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("unfreeze", ["none", "all"])
def test_a_backbone_without_weights_trains_a_step(unfreeze: str) -> None:
    wanted = {"name": "MobileNet", "weights": "none"}
    model = built(recipe({"backbone": wanted}, unfreeze=unfreeze), classes=3)
    base = model.get_layer("backbone")
    before = [w.copy() for w in base.get_weights()]
    head = model.get_layer("probabilities").bias.numpy().copy()
    model.fit(pixels(4), np.array([0, 1, 2, 0]), epochs=1, verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, base.get_weights(), strict=True)]
    assert any(changed) is (unfreeze == "all")
    assert not np.array_equal(head, model.get_layer("probabilities").bias.numpy())


def test_l2_adds_the_squares_of_kernels_to_the_loss() -> None:
    blocks = {"blocks": [{"conv": 4}, {"batchNorm": True}, {"globalPool": True}]}
    keras.utils.set_random_seed(0)
    penalized = built(recipe(blocks, l2=0.01))
    keras.utils.set_random_seed(0)
    plain = built(recipe(blocks))
    x, y = pixels(4), np.arange(4)
    squares = sum(
        (w.numpy() ** 2).sum() for w in plain.trainable_weights if w.path.endswith("kernel")
    )
    both = [
        model.evaluate(x, y, return_dict=True, verbose=0)["loss"] for model in (penalized, plain)
    ]
    assert both[0] - both[1] == pytest.approx(0.01 * squares, rel=1e-3)


def test_dropout_before_the_head_is_that_of_the_recipe() -> None:
    model = built(recipe({"backbone": {"name": "MobileNet", "weights": "none", "dropout": 0.3}}))
    assert model.get_layer("features").rate == 0.3
