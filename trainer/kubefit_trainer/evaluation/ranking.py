"""Figures of the order in which a model puts things: area under the ROC curve, top-k accuracy."""

import numpy as np
from numpy.typing import NDArray

from kubefit_trainer.evaluation.chunks import chunks


def area(positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> float | None:
    """Area under the ROC curve: how often one of `positive` scores higher than one that is not.

    Equal scores count one half. None where all are positive, or none.
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return None
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    # Of equal scores each has the mean of their ranks, which begin at 1.
    ranks = np.cumsum(counts) - (counts - 1) / 2
    above = ranks[place][positive].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def places(labels: NDArray[np.integer], scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Place of the right class in the order of scores (images, classes), 0 for the highest.

    Of classes with equal scores the first comes first.
    """
    found = np.empty(len(labels), np.int64)
    numbers = np.arange(scores.shape[1])
    for rows in chunks(*scores.shape):
        right, block = labels[rows, None], scores[rows]
        own = np.take_along_axis(block, right, axis=1)
        before = (block > own) | ((block == own) & (numbers < right))
        found[rows] = before.sum(axis=1)
    return found
