"""A SavedModel for servers: raw samples in, names of classes and probabilities, or texts, out.

`serve` is as Keras exports it: what the model takes in, what it gives out. `serving_default` takes
images as uint8 pixels, a quarter of the bytes on the wire.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from kubefit.api.recipe import LabelKind

SERVE, SERVING_DEFAULT = "serve", "serving_default"
IMAGE = "image"
"""Name of the input of both for images; that of other samples is the model's own."""
_THRESHOLD = 0.5
"""Probability from which on one of many labels is given, as the report has it."""
_RANK_OF_IMAGES = 4


Answers = Callable[[Any], Any]
"""From a batch of samples to a text for each, strings (batch,)."""
TEXTS = "texts"
"""Name of the output of `serving_default` that has these."""


def write_texts(model: keras.Model, folder: Path, answers: Answers) -> None:
    """Writes the SavedModel of a model that writes a text for each sample, its first input.

    `serve` takes and gives what the model does, `serving_default` samples and the texts for them.
    """
    archive = keras.export.ExportArchive()
    archive.track(model)
    specs = [tf.TensorSpec(one.shape, one.dtype, name=one.name) for one in model.inputs]

    def plain(*inputs: Any) -> Any:
        return model(list(inputs), training=False)

    def served(samples: Any) -> dict[str, Any]:
        return {TEXTS: answers(samples)}

    archive.add_endpoint(SERVE, plain, input_signature=specs)
    archive.add_endpoint(SERVING_DEFAULT, served, input_signature=specs[:1])
    archive.write_out(folder, verbose=False)


def write(model: keras.Model, folder: Path, *, classes: Sequence[str], kind: LabelKind) -> None:
    """Writes the SavedModel of a model whose only input is a batch of samples."""
    (taken,) = model.inputs
    pixels = len(taken.shape) == _RANK_OF_IMAGES
    name = IMAGE if pixels else taken.name
    shape, dtypes = (None, *taken.shape[1:]), (taken.dtype, "uint8" if pixels else taken.dtype)
    archive = keras.export.ExportArchive()
    archive.track(model)

    def plain(samples: Any) -> Any:
        return model(samples, training=False)

    def served(samples: Any) -> dict[str, Any]:
        given = tf.cast(samples, taken.dtype) if pixels else samples
        return answers(plain(given), classes=classes, kind=kind)

    for endpoint, answer, dtype in zip(
        (SERVE, SERVING_DEFAULT), (plain, served), dtypes, strict=True
    ):
        archive.add_endpoint(
            endpoint, answer, input_signature=[tf.TensorSpec(shape, dtype, name=name)]
        )
    archive.write_out(folder, verbose=False)


def answers(outputs: Any, *, classes: Sequence[str], kind: LabelKind) -> dict[str, Any]:
    """What `serving_default` answers for outputs (batch, units) of the model.

    `numbers` (batch, numbers) for regression; else `probabilities` (batch, classes) and `labels`:
    the likeliest class of each sample (batch,), or with any number of classes a sample
    (batch, classes) the name of each class that it has, and nothing for the others. For outputs
    (batch, frames, classes) that write texts, `texts` (batch,) and `log_probabilities`.
    """
    if kind is LabelKind.TEXT:
        return {"texts": written(outputs, classes), "log_probabilities": outputs}
    if kind is LabelKind.REGRESSION:
        return {"numbers": outputs}
    names = tf.constant(list(classes))
    if kind is LabelKind.MULTI_LABEL:
        labels = tf.where(outputs > _THRESHOLD, names, tf.constant(""))
        return {"labels": labels, "probabilities": outputs}
    if outputs.shape[-1] == 1:
        outputs = tf.concat([1.0 - outputs, outputs], axis=1)
    return {"labels": tf.gather(names, tf.argmax(outputs, axis=1)), "probabilities": outputs}


def written(outputs: Any, classes: Sequence[str]) -> Any:
    """Texts (batch,) of the likeliest class of each frame: equal neighbours are one.

    The blank, the first class, has an empty name, so that it writes nothing.
    """
    likeliest = tf.argmax(outputs, axis=-1, output_type=tf.int32)
    before = tf.pad(likeliest[:, :-1], [[0, 0], [1, 0]], constant_values=-1)
    names = tf.gather(tf.constant(list(classes)), likeliest)
    return tf.strings.reduce_join(tf.where(likeliest == before, "", names), axis=1)
