"""Handwritten digits with VGG16: its pretrained weights fine-tuned, and the same from scratch."""

import os
from pathlib import Path

import h5py
import keras
import numpy as np
from sklearn.datasets import load_digits

from kubefit.api.recipe import Recipe, resolve
from kubefit_trainer import keras_multiworker
from kubefit_trainer.recipe import inputs, job

TRAINING, TEST = 160, 300
EPOCHS = 4


def scenario_fine_tuned(directory):
    return trained("fineTune", "vgg16.weights.h5", directory)


def scenario_from_scratch(directory):
    return trained("fromScratch", "none", directory)


def trained(preset, weights, directory):
    write_digits(directory)
    if weights != "none":
        write_weights(Path(os.environ["VGG16_CONVOLUTIONS"]), directory / weights)
    recipe = resolve(
        Recipe.model_validate(
            {
                "preset": preset,
                "data": {
                    "train": {"npz": "train.npz"},
                    "test": {"npz": "test.npz"},
                    "imageSize": [32, 32],
                },
                "augmentation": {"rotation": 10},
                "model": {"backbone": {"name": "VGG16", "weights": weights}},
                "training": {"epochs": EPOCHS, "globalBatchSize": 16},
            }
        )
    )
    strategy = keras_multiworker.strategy()
    data = inputs.open_inputs(recipe, directory)
    model = job.build(recipe, strategy, volume=directory, classes=10)
    history = job.fit(model, recipe, data, strategy=strategy, callbacks=[])
    return {
        "epochs": len(history["loss"]),
        **job.evaluate(model, recipe, data.evaluation, strategy=strategy),
    }


def write_digits(volume):
    digits = load_digits()
    images = (digits.images * (255 / 16)).astype(np.uint8)
    for name, rows in (("train", slice(0, TRAINING)), ("test", slice(-TEST, None))):
        np.savez(volume / f"{name}.npz", x=images[rows], y=digits.target[rows])


def write_weights(source: Path, target: Path):
    """The convolutions of the edge detector as weights of VGG16 without its top."""
    with keras_multiworker.outside_strategy(), h5py.File(source) as file:
        model = keras.applications.VGG16(include_top=False, weights=None)
        for layer in model.layers:
            if isinstance(layer, keras.layers.Conv2D):
                block, _, number = layer.name.partition("_conv")
                suffix = f"_{int(number) - 1}" if int(number) > 1 else ""
                stored = file[f"{block}/layers/conv2d{suffix}/vars"]
                layer.set_weights([stored["0"][()], stored["1"][()]])
        model.save_weights(target)
