"""Predictions for each of the chosen images, once, made by all workers and kept by the chief.

They come in passes of bounded size: a worker never holds those of more than one pass, and the chief
holds numbers only, no images.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kubefit.api.recipe import LabelKind, Recipe
from kubefit_trainer import keras_multiworker
from kubefit_trainer.recipe import modality, order, targets
from kubefit_trainer.recipe.inputs import evaluation_dataset
from kubefit_trainer.recipe.labelled import Chosen
from kubefit_trainer.recipe.order import Shard

_BYTES_A_PASS = 64 << 20
_LARGEST = 256 << 20
"""Bytes that the chief keeps at most, whatever memory it has: all workers decide alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """What the model gives for each image."""

    samples: NDArray[np.int64]
    """Numbers of the images in their source."""
    outputs: NDArray[np.float32]
    """One row for each of them; of a transcript the likeliest class of each frame."""


def too_many(chosen: Chosen, recipe: Recipe) -> str:
    """Why there are more predictions than the chief keeps; empty if there are not."""
    units = _numbers(recipe, chosen)
    size = 4 * units * len(chosen.samples)
    if size <= _LARGEST:
        return ""
    return (
        f"predictions for {len(chosen.samples)} {recipe.kind}, {units} numbers each, would take"
        f" {size / 2**20:.0f} MiB of the chief's memory, more than the {_LARGEST >> 20} MiB that a"
        f" report may; evaluate fewer {recipe.kind}"
    )


def predicted(
    model: keras.Model,
    recipe: Recipe,
    chosen: Chosen,
    *,
    strategy: tf.distribute.Strategy,
    warn: Callable[[str], None] = print,
) -> Predictions | None:
    """The predictions on the chief, None elsewhere; every worker must call it.

    None as well, with a warning, where there would be more of them than the chief keeps.
    """
    if why := too_many(chosen, recipe):
        warn(why)
        return None
    with strategy.scope():
        model = modality.of(recipe).answering(model)
    units, classes = _numbers(recipe, chosen), len(chosen.source.classes)
    batch, chief = recipe.training.images_per_step, keras_multiworker.is_chief()
    spoken = recipe.samples.labels is LabelKind.TEXT
    rows = batch * max(1, _BYTES_A_PASS // (4 * units * batch * (classes if spoken else 1)))
    outputs = np.empty((len(chosen.samples) if chief else 0, units), np.float32)
    for first in range(0, len(chosen.samples), rows):
        part = replace(chosen, samples=chosen.samples[first : first + rows])
        found = model.predict(
            evaluation_dataset(part, recipe, strategy), steps=part.steps(recipe), verbose=0
        )
        if chief:
            outputs[first : first + rows] = _likeliest(found) if spoken else found
    if not chief:
        return None
    replicas = Shard(rank=0, workers=1, replicas=strategy.num_replicas_in_sync)
    samples = [
        # The rows of each replica come together, as they are cut.
        rows_of_one
        for share in order.fixed_stream(chosen.samples, global_batch=batch)
        for rows_of_one in replicas.parts(share)
    ]
    return Predictions(samples=np.concatenate(samples), outputs=outputs)


def _likeliest(outputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Class of each frame, of outputs (rows, frames, classes); no number where there is none."""
    known = np.isfinite(outputs).all(axis=-1)
    return np.where(known, outputs.argmax(axis=-1), np.nan).astype(np.float32)


def _numbers(recipe: Recipe, chosen: Chosen) -> int:
    """How many are kept of a sample."""
    if recipe.speech is not None and recipe.samples.labels is LabelKind.TEXT:
        return recipe.speech.frames
    return targets.units(recipe, classes=len(chosen.source.classes))
