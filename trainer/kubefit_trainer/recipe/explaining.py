"""Explains the worst mistakes of a model: where the reasons for its answers lie.

Only the chief calls this, after training; the model runs eagerly, nothing is a collective.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as filled_with
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kubefit.api.recipe import Explanation, LabelKind
from kubefit_trainer.evaluation.findings import Explained
from kubefit_trainer.explain import grad_cam, integrated
from kubefit_trainer.explain.scores import Directions
from kubefit_trainer.images.decode import Pixels
from kubefit_trainer.recipe.labelled import Labelled

_AT_ONCE = 8
_INTEGRATED = 8
"""Images that integrated gradients are taken of; each takes many passes."""


@dataclass(frozen=True, slots=True)
class Explanations:
    """What was found out about some images."""

    told: list[Explained] = filled_with(default_factory=list)
    heat: dict[tuple[int, Explanation], NDArray[np.float32]] = filled_with(default_factory=dict)
    """By sample: 0 to 1 for each place, of the size of the image or smaller."""
    unexplained: str = ""
    """Why an explanation that was asked for is missing."""


def explained(
    model: keras.Model,
    pictures: Mapping[int, Pixels],
    source: Labelled,
    kind: LabelKind,
    methods: Sequence[Explanation],
    *,
    at_once: int = _AT_ONCE,
) -> Explanations:
    """Explains what the model answers to pictures (height, width, channels), by sample.

    No more than `at_once` go through the model together, for which there must be memory.
    """
    samples = list(pictures)
    if not samples or not methods:
        return Explanations()
    images = np.stack([pictures[sample] for sample in samples]).astype(np.float32)
    size = min(at_once, _AT_ONCE)
    parts = [slice(i, i + size) for i in range(0, len(images), size)]
    outputs = np.concatenate([np.asarray(model(images[part], training=False)) for part in parts])
    places, directions = towards(np.nan_to_num(outputs), source.labels[samples], kind)
    names = [source.classes[place] for place in places]
    found = Explanations()
    if Explanation.GRAD_CAM in methods:
        try:
            maps = [grad_cam.heat(model, images[part], directions[part]) for part in parts]
        except grad_cam.NoMapError as error:
            found = Explanations(unexplained=f"There is no Grad-CAM: {error}.")
        else:
            _of_maps(found, samples, names, maps)
    if Explanation.INTEGRATED_GRADIENTS in methods:
        for i, sample in enumerate(samples[:_INTEGRATED]):
            _of_pixels(found, sample, names[i], model, images[i], directions[i], at_once)
    return found


def towards(
    outputs: NDArray[np.floating], labels: NDArray[Any], kind: LabelKind
) -> tuple[list[int], Directions]:
    """What is explained of each image: places in the classes, and directions (images, units).

    The class that the model predicts, compared with the mean of all, as a softmax knows differences
    only; of several labels or numbers the one that is most wrong.
    """
    count, units = outputs.shape
    if kind is LabelKind.SINGLE_LABEL and units == 1:
        second = (outputs[:, 0] > 0.5).astype(int)
        return second.tolist(), (2.0 * second - 1.0).astype(np.float32)[:, None]
    if kind is LabelKind.SINGLE_LABEL:
        chosen = outputs.argmax(axis=1)
    else:
        chosen = np.abs(labels.astype(np.float64) - outputs).argmax(axis=1)
    directions = np.zeros((count, units), np.float32)
    directions[np.arange(count), chosen] = 1.0
    if kind is LabelKind.SINGLE_LABEL:
        directions -= 1.0 / units
    return chosen.tolist(), directions


def _of_maps(
    found: Explanations, samples: list[int], names: list[str], maps: list[grad_cam.Heat]
) -> None:
    rows = [(heat.layer, row) for heat in maps for row in heat.maps]
    for sample, name, (layer, row) in zip(samples, names, rows, strict=True):
        method = Explanation.GRAD_CAM
        found.heat[sample, method] = row
        found.told.append(Explained(sample=sample, method=method, answer=name, layer=layer))


def _of_pixels(
    found: Explanations,
    sample: int,
    name: str,
    model: keras.Model,
    image: NDArray[np.float32],
    direction: Directions,
    at_once: int,
) -> None:
    method, result = Explanation.INTEGRATED_GRADIENTS, None
    try:
        result = integrated.attribution(model, image, direction, at_once=at_once)
    except tf.errors.OpError as error:
        print(f"no integrated gradients of image {sample}: {error}", flush=True)
        return
    found.heat[sample, method] = result.heat
    said = Explained(
        sample=sample,
        method=method,
        answer=name,
        difference=result.difference,
        gap=result.gap,
        complete=result.complete,
    )
    found.told.append(said)
