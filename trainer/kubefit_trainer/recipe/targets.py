"""What the network is to answer: class numbers, or numbers of their own for each output unit.

The latter for shares of the classes where labels are mixed, for any number of classes an image, and
for regression.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kubefit.api.recipe import LabelKind, Output, Recipe
from kubefit_trainer.images.draws import Mix

Targets = NDArray[np.int32] | NDArray[np.float32]
Labels = NDArray[Any]
"""As in a `Source`: class numbers (batch,), or numbers (batch, classes)."""


def are_rows(recipe: Recipe) -> bool:
    """Whether targets are numbers (batch, units) instead of class numbers (batch,).

    The same for training and evaluation, as both go through one loss.
    """
    spec = recipe.augmentation
    mixed = spec.mix_up or spec.cut_mix or spec.label_smoothing
    return bool(mixed) or recipe.samples.labels is not LabelKind.SINGLE_LABEL


def units(recipe: Recipe, *, classes: int) -> int:
    """Numbers of an answer: one for each class, or only one, for the second of two.

    Of a text that is written, its tokens with the end.
    """
    if recipe.text is not None and recipe.writes:
        return 1 + recipe.text.longest_target
    single = recipe.samples.labels is LabelKind.SINGLE_LABEL
    return 1 if single and recipe.output is Output.SIGMOID else classes


def plain(labels: Labels, recipe: Recipe, *, classes: int) -> Targets:
    """Targets of unchanged images: the class numbers, or all of the share for the right ones."""
    if not are_rows(recipe):
        return labels
    return _of_units(_rows(labels, classes), recipe)


def mixed(
    labels: Labels,
    partners: Labels,
    mixes: Sequence[Mix | None],
    recipe: Recipe,
    *,
    classes: int,
) -> Targets:
    """Targets of training images, each mixed with its partner's, then smoothed.

    Smoothing spreads a share evenly over the classes, or over yes and no of each.
    """
    if not are_rows(recipe):
        return labels
    share = np.array([1.0 if mix is None else mix.share for mix in mixes]).reshape(-1, 1)
    rows = share * _rows(labels, classes) + (1.0 - share) * _rows(partners, classes)
    smoothing = recipe.augmentation.label_smoothing
    choices = classes if recipe.samples.labels is LabelKind.SINGLE_LABEL else 2
    return _of_units(rows * (1.0 - smoothing) + smoothing / choices, recipe)


def _rows(labels: Labels, classes: int) -> NDArray[np.float64]:
    return np.eye(classes)[labels] if labels.ndim == 1 else labels.astype(np.float64)


def _of_units(rows: NDArray[np.float64], recipe: Recipe) -> NDArray[np.float32]:
    return rows[:, -units(recipe, classes=rows.shape[1]) :].astype(np.float32)
