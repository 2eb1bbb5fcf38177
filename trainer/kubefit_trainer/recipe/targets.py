"""What the network is to answer: class numbers, or shares of the classes where labels are mixed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kubefit.api.recipe import Augmentation
from kubefit_trainer.images.draws import Mix

Targets = NDArray[np.int32] | NDArray[np.float32]


def are_shares(spec: Augmentation) -> bool:
    """Whether targets are shares (batch, classes) instead of class numbers (batch,).

    The same for training and evaluation, as both go through one loss.
    """
    return bool(spec.mix_up or spec.cut_mix or spec.label_smoothing)


def plain(labels: NDArray[np.int32], spec: Augmentation, *, classes: int) -> Targets:
    """Targets of unchanged images: the labels, or all of the share for the class of each."""
    return np.eye(classes, dtype=np.float32)[labels] if are_shares(spec) else labels


def mixed(
    labels: NDArray[np.int32],
    partners: NDArray[np.int32],
    mixes: Sequence[Mix | None],
    spec: Augmentation,
    *,
    classes: int,
) -> Targets:
    """Targets of training images, each mixed with its partner's, then smoothed."""
    if not are_shares(spec):
        return labels
    share = np.array([1.0 if mix is None else mix.share for mix in mixes]).reshape(-1, 1)
    one_hot = np.eye(classes)
    shares = share * one_hot[labels] + (1.0 - share) * one_hot[partners]
    smoothing = spec.label_smoothing
    return (shares * (1.0 - smoothing) + smoothing / classes).astype(np.float32)
