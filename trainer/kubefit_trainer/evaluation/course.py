"""A training by its own numbers: all that a report and its advice are made of."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kubefit.api.recipe import LabelKind, Recipe
from kubefit_trainer.evaluation.findings import Evaluation
from kubefit_trainer.export.formats import Exported


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a training went and what came out."""

    job: str
    recipe: Recipe
    """As it was trained, defaults and all."""
    workers: int
    logs: Mapping[str, Sequence[float]]
    """Loss and metrics of every epoch; those of validation begin with `val_`."""
    chance: float | None = None
    """Accuracy of always giving the most frequent answer."""
    validation_images: int = 0
    evaluation: Evaluation | None = None
    unjudged: str = ""
    """Why there is no evaluation though images were held out."""
    data_share: float | None = None
    """Share of the time of training that steps waited for images."""
    exchange_share: float | None = None
    """Share of it that they waited for the gradients of other workers."""
    exported: Sequence[Exported] = ()
    """What became of the formats of the model."""

    @property
    def loss(self) -> list[float]:
        """Training loss of every epoch."""
        return list(self.logs.get("loss", []))

    def last(self, name: str) -> float | None:
        """A metric after the last epoch; None if it is not known, or no finite number."""
        values = self.logs.get(name, [])
        return values[-1] if values and math.isfinite(values[-1]) else None

    @property
    def quality(self) -> float | None:
        """Accuracy, or the share of the variance that is explained, on images not trained on.

        Of transcripts the share of the characters that is right: 1 less the character error rate.
        Of texts that are written the accuracy of their tokens, without validation ROUGE-L.
        """
        if self.recipe.writes:
            found = self.last("val_accuracy")
            if found is None and self.evaluation is not None:
                found = self.evaluation.metrics.get("rougeL")
            return found
        if self.recipe.samples.labels is LabelKind.TEXT:
            wrong = self.last("val_character_error_rate")
            if self.evaluation is not None:
                wrong = self.evaluation.metrics.get("characterErrorRate")
            return None if wrong is None else max(0.0, 1.0 - wrong)
        name = "r2" if self.recipe.samples.labels is LabelKind.REGRESSION else "accuracy"
        if self.evaluation is not None:
            return self.evaluation.metrics.get(name)
        return self.last(f"val_{name}")


def chance_of(labels: NDArray[np.generic], kind: LabelKind) -> float | None:
    """Accuracy of always giving the most frequent answer; None for numbers and texts."""
    if kind in (LabelKind.REGRESSION, LabelKind.TEXT) or not len(labels):
        return None
    if kind is LabelKind.SINGLE_LABEL:
        return float(np.unique(labels, return_counts=True)[1].max() / len(labels))
    shares = labels.astype(np.float64).mean(axis=0)
    return float(np.maximum(shares, 1.0 - shares).mean())
