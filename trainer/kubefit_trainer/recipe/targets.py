"""What the network is to answer: class numbers, or shares of the classes where labels are mixed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kubefit.api.recipe import Output, Recipe
from kubefit_trainer.images.draws import Mix

Targets = NDArray[np.int32] | NDArray[np.float32]


def are_shares(recipe: Recipe) -> bool:
    """Whether targets are shares (batch, units) instead of class numbers (batch,).

    The same for training and evaluation, as both go through one loss.
    """
    spec = recipe.augmentation
    return bool(spec.mix_up or spec.cut_mix or spec.label_smoothing)


def units(recipe: Recipe, *, classes: int) -> int:
    """Units of the output layer: one for each class, or only one, for the second of two."""
    return 1 if recipe.model.output is Output.SIGMOID else classes


def plain(labels: NDArray[np.int32], recipe: Recipe, *, classes: int) -> Targets:
    """Targets of unchanged images: the labels, or all of the share for the class of each."""
    if not are_shares(recipe):
        return labels
    return _of_units(np.eye(classes)[labels], recipe)


def mixed(
    labels: NDArray[np.int32],
    partners: NDArray[np.int32],
    mixes: Sequence[Mix | None],
    recipe: Recipe,
    *,
    classes: int,
) -> Targets:
    """Targets of training images, each mixed with its partner's, then smoothed."""
    if not are_shares(recipe):
        return labels
    share = np.array([1.0 if mix is None else mix.share for mix in mixes]).reshape(-1, 1)
    one_hot = np.eye(classes)
    shares = share * one_hot[labels] + (1.0 - share) * one_hot[partners]
    smoothing = recipe.augmentation.label_smoothing
    return _of_units(shares * (1.0 - smoothing) + smoothing / classes, recipe)


def _of_units(shares: NDArray[np.float64], recipe: Recipe) -> NDArray[np.float32]:
    return shares[:, -units(recipe, classes=shares.shape[1]) :].astype(np.float32)
