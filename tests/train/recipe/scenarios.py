"""Recipes that a group of workers trains; each reports what it saw and what came out."""

import shutil

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from kubefit.api.recipe import Images, LabelKind, Recipe, resolve
from kubefit_trainer import keras_multiworker
from kubefit_trainer.images import pack
from kubefit_trainer.recipe import inputs, job, pipeline, predictions

SAMPLES = 37
BATCH = 8
EPOCHS = 3


def recipe(blocks: list[dict[str, object]], **training: object) -> dict[str, object]:
    return {
        "data": {
            "train": {"npz": "train.npz"},
            "test": {"npz": "train.npz"},
            "imageSize": [8, 8],
            "channels": 1,
        },
        "model": {"blocks": blocks},
        "training": {"epochs": EPOCHS, "globalBatchSize": BATCH, "seed": 3, **training},
    }


PLAIN = [{"conv": 4}, {"pool": 2}, {"flatten": True}, {"dense": 8}]


def scenario_plain(directory):
    return trained(recipe(PLAIN), directory)


def scenario_records(directory):
    """The images of `plain`, read record by record and kept on the disk."""
    whole = recipe(PLAIN)
    images = {"tfrecord": {"files": "records"}}
    whole["data"].update(train=images, test=images, cache="disk")
    return trained(whole, directory)


def scenario_packed(directory):
    """The images of `plain`, listed in a manifest that was packed."""
    whole = recipe(PLAIN)
    images = {"packed": "packed"}
    whole["data"].update(train=images, test=images)
    return trained(whole, directory)


def scenario_steps(directory):
    return trained(recipe(PLAIN, stepsPerEpoch=2), directory)


def scenario_short_last_batch(directory):
    return trained(recipe(PLAIN, globalBatchSize=36, epochs=1), directory)


def scenario_batch_norm(directory):
    blocks = [{"conv": 4}, {"batchNorm": True}, {"pool": 2}, {"flatten": True}, {"dropout": 0.2}]
    return trained(recipe(blocks), directory)


def scenario_validation(directory):
    whole = recipe(PLAIN)
    whole["data"]["validationSplit"] = 0.3
    del whole["data"]["test"]
    return trained(whole, directory)


def scenario_weighted(directory):
    whole = recipe(PLAIN)
    whole["data"].update(validationSplit=0.2, testSplit=0.2, classWeights="balanced")
    del whole["data"]["test"]
    return trained(whole, directory)


def scenario_augmented(directory):
    whole = recipe(PLAIN)
    whole["augmentation"] = {
        "flip": "both",
        "rotation": 20,
        "shear": 5,
        "zoom": 0.2,
        "translation": 0.1,
        "resizedCrop": {"minArea": 0.8},
        "brightness": 0.1,
        "contrast": 0.3,
        "blur": 0.5,
        "erasing": 0.3,
        "randAugment": {"operations": 2},
    }
    return trained(whole, directory)


def scenario_mixed(directory):
    whole = recipe(PLAIN)
    whole["augmentation"] = {"mixUp": 0.4, "cutMix": 1.0, "labelSmoothing": 0.1, "flip": "both"}
    return trained(whole, directory)


def scenario_mixed_of_two(directory):
    whole = recipe(PLAIN)
    whole["augmentation"] = {"mixUp": 0.4, "cutMix": 1.0, "labelSmoothing": 0.1}
    whole["model"]["output"] = "sigmoid"
    return trained(whole, directory, classes=2)


def scenario_many_labels(directory):
    whole = labelled("multiLabel", "flags")
    whole["augmentation"] = {"mixUp": 0.4, "cutMix": 1.0, "labelSmoothing": 0.1}
    return trained(whole, directory)


def scenario_numbers(directory):
    return trained(labelled("regression", "numbers", loss="huber"), directory, classes=2)


def labelled(kind, key, **training):
    """Some images are held out for the test, as of class numbers."""
    whole = recipe(PLAIN, **training)
    whole["data"].update(labels=kind, testSplit=0.2, train={"npz": "train.npz", "labelsKey": key})
    del whole["data"]["test"]
    return whole


def trained(whole, directory, *, classes=3):
    parsed = resolve(Recipe.model_validate(whole))
    volume = directory / f"volume-{keras_multiworker.rank()}"
    write_archive(volume, classes=classes)
    strategy = keras_multiworker.strategy()
    data = inputs.open_inputs(parsed, volume)
    model = job.build(parsed, strategy, volume=volume, classes=classes)
    seen: list[list[int]] = []
    record_batches(model, seen)
    history = job.fit(model, parsed, data, strategy=strategy, callbacks=[])
    found = predictions.predicted(model, parsed, data.evaluation, strategy=strategy)
    return {
        "seen": seen,
        "history": history,
        "evaluation": job.evaluate(model, parsed, data.evaluation, strategy=strategy),
        "weights": model.get_weights(),
        "predictions": found and dict(zip(found.samples.tolist(), found.outputs, strict=True)),
        "by_hand": answers(model, parsed, data.evaluation),
    }


def answers(model, parsed, chosen):
    """What the model gives when it is called with all of the images at once, by their number."""
    images = pipeline.pixels(chosen.source, chosen.samples, parsed)
    outputs = np.asarray(model(images.astype(np.float32), training=False))
    return dict(zip(chosen.samples.tolist(), outputs, strict=True))


def write_archive(volume, *, classes):
    """The upper left pixel of image i is i + 1."""
    volume.mkdir(exist_ok=True)
    labels = np.arange(SAMPLES) % 4 % classes
    noise = np.random.default_rng(0).integers(0, 100, (SAMPLES, 8, 8))
    images = (noise + 60 * labels[:, None, None]).astype(np.uint8)
    images[:, 0, 0] = np.arange(SAMPLES) + 1
    flags = (np.arange(SAMPLES)[:, None] >> np.arange(3)) % 2
    numbers = np.stack([images.mean(axis=(1, 2)) / 100, labels], axis=1)
    np.savez(volume / "train.npz", x=images, y=labels, flags=flags, numbers=numbers)
    write_records(volume / "records", images, labels)
    write_pack(volume, images, labels)


def write_pack(volume, images, labels):
    folder, lines = volume / "listed", ["path,label"]
    folder.mkdir(exist_ok=True)
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        Image.fromarray(image).save(folder / f"{i}.png")
        lines.append(f"{i}.png,{label}")
    (folder / "list.csv").write_text("\n".join(lines))
    shutil.rmtree(volume / "packed", ignore_errors=True)
    pack.pack(
        Images(manifest=str(folder / "list.csv")),
        volume / "packed",
        kind=LabelKind.SINGLE_LABEL,
        side=32,
        quality=95,
        skip_unreadable=False,
        threads=1,
        watch=lambda samples, total: samples,
    )


def write_records(folder, images, labels):
    """Two files, the second the longer one."""
    folder.mkdir(exist_ok=True)
    parts = np.split(np.arange(SAMPLES), [SAMPLES // 3])
    for number, samples in enumerate(parts):
        with tf.io.TFRecordWriter(str(folder / f"{number}.tfrecord")) as writer:
            for i in samples:
                png = tf.io.encode_png(images[i, :, :, None]).numpy()
                features = {
                    "image/encoded": {"bytes_list": {"value": [png]}},
                    "image/class/label": {"int64_list": {"value": [labels[i]]}},
                }
                example = tf.train.Example(features={"feature": features})
                writer.write(example.SerializeToString())


def record_batches(model: keras.Model, seen: list[list[int]]) -> None:
    """Notes the samples of every training step; a row of zeros is padding."""
    train_step = model.train_step

    def recording_step(batch):
        ids = tf.cast(batch[0][:, 0, 0, 0], tf.int32) - 1
        tf.py_function(lambda x: seen.append([int(i) for i in x if i >= 0]), [ids], [])
        return train_step(batch)

    model.train_step = recording_step
