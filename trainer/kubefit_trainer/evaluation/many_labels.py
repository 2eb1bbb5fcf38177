"""What predictions are worth where an image is of any number of classes."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kubefit_trainer.evaluation import ranking
from kubefit_trainer.evaluation.calibration import calibration
from kubefit_trainer.evaluation.chunks import chunks
from kubefit_trainer.evaluation.one_label import scores_of
from kubefit_trainer.evaluation.scores import Counts

THRESHOLD = 0.5
"""A class is predicted whose probability is more."""


def findings(
    flags: NDArray[np.bool_], probabilities: NDArray[np.floating], classes: Sequence[str]
) -> dict[str, Any]:
    """Fields of the `Evaluation` for truth and probabilities, both (images, classes)."""
    parts, right, exact = np.zeros((3, len(classes)), np.int64), 0, 0
    for rows in chunks(*flags.shape):
        truth, predicted = flags[rows], probabilities[rows] > THRESHOLD
        parts += [part.sum(axis=0) for part in (predicted & truth, truth, predicted)]
        same = predicted == truth
        right += int(same.sum())
        exact += int(same.all(axis=1).sum())
    counts = Counts(*parts)
    areas = [ranking.area(flags[:, i], probabilities[:, i]) for i in range(len(classes))]
    known = [area for area in areas if area is not None]
    return {
        "metrics": {
            "accuracy": right / flags.size,
            "exactMatch": exact / len(flags),
            "auc": math.fsum(known) / len(known) if known else None,
        },
        "averages": {
            "micro": counts.micro(),
            "macro": counts.macro(),
            "weighted": counts.weighted(),
        },
        "classes": scores_of(classes, counts, areas),
        "calibration": calibration(probabilities.ravel(), flags.ravel()),
    }


def worst(
    flags: NDArray[np.bool_], probabilities: NDArray[np.floating], *, count: int
) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    """The images with a wrong decision that is the surest, and how sure it is."""
    error, missed = np.empty(len(flags), probabilities.dtype), np.empty(len(flags), np.bool_)
    for rows in chunks(*flags.shape):
        error[rows] = np.abs(probabilities[rows] - flags[rows]).max(axis=1)
        missed[rows] = ((probabilities[rows] > THRESHOLD) != flags[rows]).any(axis=1)
    wrong = np.flatnonzero(missed)
    order = wrong[np.argsort(-error[wrong], kind="stable")][:count]
    return order, error[order]
