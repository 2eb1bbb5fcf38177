"""Explanations point at what a network looks at, for any network, and say when they cannot."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from kubefit.api.recipe import Explanation, LabelKind
from kubefit_trainer.explain import grad_cam, integrated
from kubefit_trainer.images.decode import Picture
from kubefit_trainer.recipe import explaining
from kubefit_trainer.recipe.sources import Source


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Digits of 8 x 8 in the middle of 16 x 16 pixels of 0 to 255."""
    found = load_digits()
    images = np.zeros((len(found.target), 16, 16, 1), np.float32)
    images[:, 4:12, 4:12, 0] = np.round(found.images * (255 / 16))
    return images, found.target


def network(*layers: keras.layers.Layer) -> keras.Model:
    inputs = keras.Input((16, 16, 1))
    found = keras.layers.Rescaling(1 / 255)(inputs)
    for layer in layers:
        found = layer(found)
    return keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(found))


def convolutions() -> list[keras.layers.Layer]:
    layers = keras.layers
    return [
        layers.Conv2D(16, 3, activation="relu", padding="same", name="first"),
        layers.Conv2D(32, 3, activation="relu", padding="same", name="second"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(32, activation="relu"),
    ]


@pytest.fixture(scope="module")
def trained() -> tuple[keras.Model, np.ndarray, np.ndarray]:
    keras.utils.set_random_seed(0)
    images, labels = digits()
    model = network(*convolutions())
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images[:1400], labels[:1400], epochs=3, batch_size=64, verbose=0)
    return model, images[1400:1440], labels[1400:1440]


def of(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Directions towards what the model predicts."""
    labels = np.zeros(len(images))
    return explaining.towards(model(images).numpy(), labels, LabelKind.SINGLE_LABEL)[1]


def near_the_stroke(images: np.ndarray) -> np.ndarray:
    """Places of ink and those beside it."""
    ink = images[..., 0] > 64
    near = np.zeros_like(ink)
    for rows in (-1, 0, 1):
        for columns in (-1, 0, 1):
            near |= np.roll(ink, (rows, columns), axis=(1, 2))
    return near


def test_grad_cam_of_a_trained_digit_lies_on_the_stroke(trained) -> None:
    model, images, _ = trained
    found = grad_cam.heat(model, images, of(model, images))
    assert found.layer == "second"
    near = near_the_stroke(images)
    assert near.mean() < 0.25
    assert found.maps[near].sum() / found.maps.sum() > 0.8
    of_each = (found.maps * near).sum(axis=(1, 2)) / found.maps.sum(axis=(1, 2))
    assert of_each.min() > 0.6
    assert found.maps.max(axis=(1, 2)) == pytest.approx(np.ones(len(images)))


def test_integrated_gradients_explain_the_whole_answer_and_nothing_black(trained) -> None:
    model, images, _ = trained
    for image, direction in zip(images[:3], of(model, images[:3]), strict=True):
        found = integrated.attribution(model, image, direction)
        assert found.complete
        assert found.values.sum() == pytest.approx(found.difference, rel=integrated.CLOSE)
        assert np.abs(found.values[image == 0]).sum() == 0
        assert found.heat.shape == (16, 16)
        assert 0.0 <= found.heat.min() < found.heat.max() == 1.0


def test_a_model_answers_as_before_after_it_was_explained(trained) -> None:
    model, images, _ = trained
    before = model(images).numpy()
    grad_cam.heat(model, images, of(model, images))
    integrated.attribution(model, images[0], of(model, images[:1])[0])
    np.testing.assert_array_equal(model(images).numpy(), before)


def test_the_answer_of_a_linear_network_is_explained_exactly() -> None:
    inputs = keras.Input((4, 4, 1))
    outputs = keras.layers.Dense(2, activation="sigmoid")(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, outputs)
    image = np.random.default_rng(0).uniform(0, 255, (4, 4, 1)).astype(np.float32)
    found = integrated.attribution(model, image, np.array([0, -1], np.float32))
    kernel = model.layers[-1].kernel.numpy()[:, 1].reshape(4, 4, 1)
    np.testing.assert_allclose(found.values, -kernel * image, rtol=1e-4)
    assert found.gap < 1e-4


class Counting(keras.layers.Layer):
    """Keeps how many images came through it together."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[int] = set()

    def call(self, images):
        self.seen.add(images.shape[0])
        return images


@pytest.mark.parametrize("at_once", [2, 5])
def test_no_more_images_are_explained_together_than_a_replica_trained_on(at_once: int) -> None:
    keras.utils.set_random_seed(0)
    counting = Counting()
    model = network(counting, *convolutions())
    images, labels = digits()
    source = Source(
        labels=labels.astype(np.int32),
        picture=lambda sample: Picture(images[sample].astype(np.uint8), (16, 16)),
        classes=[str(label) for label in range(10)],
    )
    pictures = {sample: images[sample].astype(np.uint8) for sample in range(7)}
    methods, kind = list(Explanation), LabelKind.SINGLE_LABEL
    whole = explaining.explained(model, pictures, source, kind, methods)
    counting.seen.clear()
    found = explaining.explained(model, pictures, source, kind, methods, at_once=at_once)
    assert max(counting.seen) == at_once
    for key, heat in whole.heat.items():
        np.testing.assert_allclose(found.heat[key], heat, atol=1e-3)


@pytest.mark.parametrize("name", ["MobileNetV2", "EfficientNetB0"])
def test_a_backbone_within_a_model_has_the_map_before_its_pooling(name: str) -> None:
    build = getattr(keras.applications, name)
    base = build(include_top=False, weights=None, input_shape=(64, 64, 3))
    inputs = keras.Input((64, 64, 3))
    features = keras.layers.GlobalAveragePooling2D()(
        keras.Model(base.input, base.output, name="backbone")(inputs)
    )
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(features))
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    found = grad_cam.heat(model, images, np.eye(2, dtype=np.float32))
    assert found.maps.shape == (2, 2, 2)
    last = [layer.name for layer in base.layers if len(layer.output.shape) == 4][-1]
    assert found.layer == last


def test_a_network_without_maps_says_so() -> None:
    image = np.zeros((1, 16, 16, 1), np.float32)
    dense = network(keras.layers.Flatten(), keras.layers.Dense(4))
    with pytest.raises(grad_cam.NoMapError, match="has no convolution"):
        grad_cam.heat(dense, image, np.eye(1, 10, dtype=np.float32))
    one_place = network(keras.layers.Conv2D(4, 16), keras.layers.Flatten())
    with pytest.raises(grad_cam.NoMapError, match="one place only"):
        grad_cam.heat(one_place, image, np.eye(1, 10, dtype=np.float32))
    mixed = network(
        keras.layers.Conv2D(4, 4, strides=4),
        keras.layers.Reshape((16, 4)),
        keras.layers.Lambda(lambda x: x),
        Attending(),
        keras.layers.Flatten(),
    )
    with pytest.raises(grad_cam.NoMapError, match="attention mixes"):
        grad_cam.heat(mixed, image, np.eye(1, 10, dtype=np.float32))


def test_what_is_explained_is_the_prediction_or_what_is_most_wrong() -> None:
    single, several = LabelKind.SINGLE_LABEL, LabelKind.MULTI_LABEL
    outputs = np.array([[0.2, 0.8], [0.9, 0.1]])
    places, directions = explaining.towards(outputs, np.array([0, 0]), single)
    assert places == [1, 0]
    np.testing.assert_allclose(directions, [[-0.5, 0.5], [0.5, -0.5]])
    places, directions = explaining.towards(outputs[:, :1], np.array([0, 0]), single)
    assert (places, directions.tolist()) == ([0, 1], [[-1.0], [1.0]])
    places, directions = explaining.towards(outputs, np.array([[1, 1], [1, 1]]), several)
    assert (places, directions.tolist()) == ([0, 1], [[1.0, 0.0], [0.0, 1.0]])


class Attending(keras.layers.Layer):
    """Tokens that look at each other, as in a vision transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = keras.layers.MultiHeadAttention(1, 4)

    def call(self, tokens):
        return self.mix(tokens, tokens)
