"""What predictions are worth where each image is of one class."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kubefit_trainer.evaluation import ranking
from kubefit_trainer.evaluation.calibration import calibration
from kubefit_trainer.evaluation.findings import ClassScores, Confusion
from kubefit_trainer.evaluation.scores import Counts

MATRIX_CLASSES = 100
"""Up to so many classes the matrix is told whole."""
_CONFUSIONS = 20
_TOP = (3, 5)


def of_one_column(probabilities: NDArray[np.floating]) -> NDArray[np.floating]:
    """Both columns where a model tells the probability of the second class only."""
    if probabilities.shape[1] > 1:
        return probabilities
    return np.concatenate([1.0 - probabilities, probabilities], axis=1)


def findings(
    labels: NDArray[np.integer], probabilities: NDArray[np.floating], classes: Sequence[str]
) -> dict[str, Any]:
    """Fields of the `Evaluation` for class numbers (images,) and (images, classes)."""
    predicted = probabilities.argmax(axis=1)
    right = predicted == labels
    places = ranking.places(labels, probabilities)
    size = len(classes)
    counts = Counts(
        *(np.bincount(numbers, minlength=size) for numbers in (labels[right], labels, predicted))
    )
    areas = [ranking.area(labels == i, probabilities[:, i]) for i in range(size)]
    known = [area for area in areas if area is not None]
    metrics = {"accuracy": float(right.mean())}
    metrics |= {f"top{k}Accuracy": float((places < k).mean()) for k in _TOP if k < size}
    return {
        "metrics": {**metrics, "auc": math.fsum(known) / len(known) if known else None},
        "averages": {"macro": counts.macro(), "weighted": counts.weighted()},
        "classes": scores_of(classes, counts, areas),
        "matrix": _matrix(labels, predicted, size).tolist() if size <= MATRIX_CLASSES else None,
        "confusions": _confusions(labels[~right], predicted[~right], classes),
        "calibration": calibration(probabilities.max(axis=1), right),
    }


def scores_of(
    classes: Sequence[str], counts: Counts, areas: Sequence[float | None]
) -> list[ClassScores]:
    """The scores of each class."""
    precision, recall, f1 = counts.precision, counts.recall, counts.f1
    return [
        ClassScores(
            name=name,
            images=int(counts.actual[i]),
            predicted=int(counts.predicted[i]),
            precision=float(precision[i]),
            recall=float(recall[i]),
            f1=float(f1[i]),
            auc=areas[i],
        )
        for i, name in enumerate(classes)
    ]


def worst(
    labels: NDArray[np.integer], probabilities: NDArray[np.floating], *, count: int
) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    """The wrongly classified images that give their class the least probability, and the rest."""
    right = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    order = wrong[np.argsort(right[wrong], kind="stable")][:count]
    return order, 1.0 - right[order]


def _matrix(
    labels: NDArray[np.integer], predicted: NDArray[np.integer], size: int
) -> NDArray[np.int64]:
    pairs = labels.astype(np.int64) * size + predicted
    return np.bincount(pairs, minlength=size * size).reshape(size, size)


def _confusions(
    labels: NDArray[np.integer], predicted: NDArray[np.integer], classes: Sequence[str]
) -> list[Confusion]:
    size = len(classes)
    pairs, counts = np.unique(labels.astype(np.int64) * size + predicted, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_CONFUSIONS]
    return [
        Confusion(
            actual=classes[pairs[i] // size],
            predicted=classes[pairs[i] % size],
            images=int(counts[i]),
        )
        for i in order
    ]
