"""Trainings on handwritten digits, from their recipe to their report: a good one and three bad."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from kubefit.api.recipe import Recipe, resolve
from kubefit_trainer import keras_multiworker
from kubefit_trainer.recipe import inputs, job, predictions, reporting
from kubefit_trainer.recipe.waiting import Waiting

NETWORK = [{"conv": 32}, {"conv": 64}, {"pool": 2}, {"flatten": True}, {"dense": 64}]


def scenario_good(directory):
    return reported(directory, "good", training={"epochs": 10, "globalBatchSize": 64})


def scenario_too_high_a_rate(directory):
    training = {"epochs": 3, "globalBatchSize": 64, "learningRate": 1.0}
    return reported(directory, "rate", training=training)


def scenario_overfitting(directory):
    """Forty images by heart."""
    data = {"train": {"npz": "few.npz"}, "validation": {"npz": "others.npz"}, "imageSize": [8, 8]}
    training = {"epochs": 40, "globalBatchSize": 8}
    network = [{"flatten": True}, {"dense": 128}]
    return reported(directory, "overfitting", data=data, blocks=network, training=training)


def scenario_starved(directory):
    """Large files for a small network."""
    data = {"train": {"folder": "large"}, "imageSize": [8, 8], "validationSplit": 0.2}
    training = {"epochs": 6, "globalBatchSize": 32, "learningRate": 0.01}
    network = [{"flatten": True}, {"dense": 16}]
    return reported(directory, "starved", data=data, blocks=network, training=training)


def reported(directory, name, *, data=None, blocks=NETWORK, training):
    volume = directory / "volume"
    if not volume.exists():
        write_digits(volume)
    split = {"validationSplit": 0.2, "testSplit": 0.2}
    images = {"train": {"npz": "digits.npz"}, "imageSize": [16, 16], **split}
    whole = {
        "data": {"channels": 1, **(data or images)},
        "model": {"blocks": blocks},
        "training": training,
    }
    recipe = resolve(Recipe.model_validate(whole))
    strategy, found = keras_multiworker.strategy(), inputs.open_inputs(recipe, volume)
    classes = len(found.train.source.classes)
    model = job.build(recipe, strategy, volume=volume, classes=classes)
    waiting = Waiting()
    logs = job.fit(model, recipe, found, strategy=strategy, callbacks=[waiting])
    chosen = found.evaluation
    reporting.write(
        directory / name,
        job=name,
        workers=1,
        recipe=recipe,
        inputs=found,
        volume=volume,
        logs=logs,
        waiting=waiting,
        loss=job.evaluate(model, recipe, chosen, strategy=strategy)["loss"],
        predicted=predictions.predicted(model, recipe, chosen, strategy=strategy),
    )
    print(name, waiting.data, {key: values[-1] for key, values in logs.items()}, flush=True)
    return {file.name: file.read_text() for file in (directory / name).iterdir()}


def write_digits(volume: Path) -> None:
    volume.mkdir()
    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)
    np.savez(volume / "digits.npz", x=images, y=digits.target)
    np.savez(volume / "few.npz", x=images[:40], y=digits.target[:40])
    np.savez(volume / "others.npz", x=images[900:1400], y=digits.target[900:1400])
    chosen = np.flatnonzero(digits.target < 2)[:240]
    for i in chosen.tolist():
        folder = volume / "large" / str(digits.target[i])
        folder.mkdir(parents=True, exist_ok=True)
        large = cv2.resize(images[i], (900, 900), interpolation=cv2.INTER_LINEAR)
        Image.fromarray(large).save(folder / f"{i}.png", compress_level=1)
