"""The `Evaluation` of predictions, whatever the labels are."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kubefit.api.recipe import LabelKind
from kubefit_trainer.evaluation import many_labels, numbers, one_label, transcripts
from kubefit_trainer.evaluation.chunks import chunks
from kubefit_trainer.evaluation.findings import Evaluation, Mistake

MISTAKES = 24
"""The worst ones that are named and shown."""


def judged(
    labels: NDArray[Any],
    outputs: NDArray[np.floating],
    *,
    kind: LabelKind,
    classes: Sequence[str],
    split: str,
    samples: Sequence[int] | NDArray[np.int64],
    name: Callable[[int], str],
    loss: float,
) -> Evaluation:
    """All figures.

    Args:
        labels: Class numbers (images,), or (images, classes); or texts (images,).
        outputs: What the model gives, (images, units); what is no number in it becomes one, as
            a copy could be too large. For texts the likeliest class of each frame.
        kind: What is known of each image.
        classes: Names of the classes, or of the numbers.
        split: Of what the images are.
        samples: Numbers of the images in their set.
        name: What people find an image by, by its number.
        loss: As training has it; perhaps no finite number.

    """
    parts = [outputs[rows] for rows in chunks(*outputs.shape)]
    usable = sum(int(np.isfinite(part).all(axis=1).sum()) for part in parts)
    found, order, errors, say = _OF_KIND[kind](labels, outputs, classes)
    metrics = {"loss": loss if math.isfinite(loss) else None, **found.pop("metrics")}
    return Evaluation(
        labels=kind,
        split=split,
        images=len(labels),
        not_finite=len(labels) - usable,
        metrics=metrics,
        mistakes=[
            Mistake(
                sample=int(samples[row]),
                image=name(int(samples[row])),
                actual=say(row)[0],
                predicted=say(row)[1],
                error=float(error),
            )
            for row, error in zip(order.tolist(), errors, strict=True)
        ],
        **found,
    )


_Say = Callable[[int], tuple[str, str]]
"""Truth and prediction of an image, by row."""
_Judged = tuple[dict[str, Any], NDArray[np.int64], NDArray[np.floating], _Say]


def _one_label(
    labels: NDArray[Any], outputs: NDArray[np.floating], classes: Sequence[str]
) -> _Judged:
    probabilities = one_label.of_one_column(_numbered(outputs))
    order, errors = one_label.worst(labels, probabilities, count=MISTAKES)

    def say(row: int) -> tuple[str, str]:
        likeliest = int(probabilities[row].argmax())
        return (
            classes[int(labels[row])],
            f"{classes[likeliest]} ({probabilities[row, likeliest]:.0%})",
        )

    return one_label.findings(labels, probabilities, classes), order, errors, say


def _many_labels(
    labels: NDArray[Any], outputs: NDArray[np.floating], classes: Sequence[str]
) -> _Judged:
    flags, probabilities = labels.astype(bool, copy=False), _numbered(outputs)
    order, errors = many_labels.worst(flags, probabilities, count=MISTAKES)

    def say(row: int) -> tuple[str, str]:
        chosen = (flags[row], probabilities[row] > many_labels.THRESHOLD)
        truth, predicted = (
            ", ".join(classes[i] for i in np.flatnonzero(one).tolist()) or "none" for one in chosen
        )
        return truth, predicted

    return many_labels.findings(flags, probabilities, classes), order, errors, say


def _numbers(
    labels: NDArray[Any], outputs: NDArray[np.floating], classes: Sequence[str]
) -> _Judged:
    order, errors = numbers.worst(labels, outputs, count=MISTAKES)

    def say(row: int) -> tuple[str, str]:
        actual, found = (", ".join(f"{x:.4g}" for x in one[row]) for one in (labels, outputs))
        return actual, found

    return numbers.findings(labels, outputs, classes), order, errors, say


def _texts(labels: NDArray[Any], outputs: NDArray[np.floating], classes: Sequence[str]) -> _Judged:
    said: list[str] = labels.tolist()
    paths = (np.nan_to_num(row, posinf=0, neginf=0).astype(int).tolist() for row in outputs)
    heard = [transcripts.best_path(path, classes) for path in paths]
    order, errors = transcripts.worst(said, heard, count=MISTAKES)
    return transcripts.findings(said, heard), order, errors, lambda row: (said[row], heard[row])


def _numbered(outputs: NDArray[np.floating]) -> NDArray[np.floating]:
    for rows in chunks(*outputs.shape):
        np.nan_to_num(outputs[rows], copy=False)
    return outputs


_OF_KIND: dict[
    LabelKind, Callable[[NDArray[Any], NDArray[np.floating], Sequence[str]], _Judged]
] = {
    LabelKind.SINGLE_LABEL: _one_label,
    LabelKind.MULTI_LABEL: _many_labels,
    LabelKind.REGRESSION: _numbers,
    LabelKind.TEXT: _texts,
}
