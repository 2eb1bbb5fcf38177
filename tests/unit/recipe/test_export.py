import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kubefit.api.recipe import Backbone, Recipe, resolve
from kubefit_trainer.export import saved
from kubefit_trainer.recipe import network, preprocessing

SIZE = (32, 32)


def pixels(count: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (count, *SIZE, 3)).astype(np.float32)


def model_of(wanted: dict) -> keras.Model:
    spec = Recipe.model_validate(
        {
            "data": {"train": {"folder": "x"}, "imageSize": list(SIZE)},
            "model": wanted,
            "training": {"epochs": 1},
        }
    )
    spec = resolve(spec)
    model = network.build(spec, classes=3)
    network.prepare(model, spec, spec.training.phases[0], steps_per_epoch=1)
    model.fit(pixels(4), np.array([0, 1, 2, 0]), epochs=1, verbose=0)
    return network.for_export(model, spec)


BLOCKS = {"blocks": [{"conv": 4}, {"batchNorm": True}, {"flatten": True}, {"dropout": 0.5}]}


def preprocessing_of(name: Backbone) -> keras.Model:
    """The preprocessing of a backbone without the backbone."""
    inputs = keras.Input((*SIZE, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(
        preprocessing.preprocess(preprocessing.of_family(name), inputs)
    )
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(pooled))


MODELS = {
    "blocks": lambda: model_of(BLOCKS),
    "backbone": lambda: model_of({"backbone": {"name": "MobileNet", "weights": "none"}}),
    "caffe": lambda: preprocessing_of(Backbone.RESNET50),
    "torch": lambda: preprocessing_of(Backbone.DENSENET121),
    "symmetric": lambda: preprocessing_of(Backbone.XCEPTION),
}


@pytest.mark.parametrize("kind", MODELS)
def test_saved_models_predict_what_the_trained_model_predicts(tmp_path: Path, kind: str) -> None:
    model = MODELS[kind]()
    saved.save(model, tmp_path, classes=["a", "b", "c"], samples=pixels(2))
    expected = model(pixels(5), training=False).numpy()
    reloaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(reloaded(pixels(5)).numpy(), expected, rtol=1e-4, atol=1e-6)
    served = tf.saved_model.load(str(tmp_path / "saved_model" / "1"))
    answer = served.signatures["serving_default"](tf.constant(pixels(5)))
    (found,) = answer.values()
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-6)
    assert json.loads((tmp_path / "labels.json").read_text()) == ["a", "b", "c"]


def test_a_second_export_replaces_the_first_and_leaves_nothing_behind(tmp_path: Path) -> None:
    for _ in range(2):
        saved.save(model_of(BLOCKS), tmp_path, classes=["a", "b", "c"], samples=pixels(2))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"model.keras", "saved_model", "labels.json"}
    assert [path.name for path in (tmp_path / "saved_model").iterdir()] == ["1"]


def test_a_saved_model_that_predicts_something_else_is_an_error(tmp_path: Path) -> None:
    model = model_of(BLOCKS)
    saved.save(model, tmp_path, classes=["a", "b", "c"], samples=pixels(2))
    wrong = model(pixels(2), training=False).numpy() * 1.01
    with pytest.raises(saved.ExportError, match="predicts something else"):
        saved.compare(tmp_path / "saved_model" / "1", samples=pixels(2), expected=wrong)
