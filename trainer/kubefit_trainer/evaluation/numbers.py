"""What predictions are worth where numbers are predicted."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kubefit_trainer.evaluation.chunks import chunks
from kubefit_trainer.evaluation.findings import NumberScores

Floats = NDArray[np.float64]
Numbers = NDArray[np.floating]


def findings(truth: Numbers, predicted: Numbers, names: Sequence[str]) -> dict[str, Any]:
    """Fields of the `Evaluation` for truth and predictions, both (images, numbers)."""
    images = len(truth)
    absolute, squared, signed = np.zeros((3, len(names)))
    for rows in chunks(*truth.shape):
        errors = _errors(truth[rows], predicted[rows])
        absolute += np.abs(errors).sum(axis=0)
        squared += np.square(errors).sum(axis=0)
        signed += errors.sum(axis=0)
    variation = _variation(truth)
    scores = [
        NumberScores(
            name=name,
            mean_absolute_error=_finite(absolute[i] / images),
            root_mean_squared_error=_finite(np.sqrt(squared[i] / images)),
            r2=_finite(1.0 - squared[i] / variation[i]) if variation[i] > 0 else None,
            bias=_finite(signed[i] / images),
        )
        for i, name in enumerate(names)
    ]
    known = [score.r2 for score in scores if score.r2 is not None]
    return {
        "metrics": {
            "meanAbsoluteError": _finite(absolute.sum() / truth.size),
            "rootMeanSquaredError": _finite(np.sqrt(squared.sum() / truth.size)),
            "r2": sum(known) / len(known) if known else None,
        },
        "numbers": scores,
    }


def worst(
    truth: Numbers, predicted: Numbers, *, count: int
) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    """The images furthest from the truth, in standard deviations of each number, and how far."""
    spread = np.sqrt(_variation(truth) / len(truth))
    scale, error = np.where(spread > 0, spread, 1.0), np.empty(len(truth))
    for rows in chunks(*truth.shape):
        off = np.abs(_errors(truth[rows], predicted[rows])) / scale
        error[rows] = np.nan_to_num(off, nan=np.inf).max(axis=1)
    order = np.argsort(-error, kind="stable")[:count]
    return order, np.minimum(error[order], np.finfo(np.float64).max)


def _errors(truth: Numbers, predicted: Numbers) -> Floats:
    return predicted.astype(np.float64) - truth


def _variation(truth: Numbers) -> Floats:
    """Sum of the squared distances from the mean, of each number; exactly 0 of equal ones."""
    first = truth[:1]
    mean, found = np.zeros(truth.shape[1]), np.zeros(truth.shape[1])
    for rows in chunks(*truth.shape):
        mean += _errors(first, truth[rows]).sum(axis=0) / len(truth)
    for rows in chunks(*truth.shape):
        found += np.square(_errors(first, truth[rows]) - mean).sum(axis=0)
    return found


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
