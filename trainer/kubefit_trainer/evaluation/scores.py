"""Precision, recall and F1 of classes out of counts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kubefit_trainer.evaluation.findings import Averages

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Counts:
    """For each class: images of it that were found, all of it, all that were taken for it."""

    hits: Ints
    actual: Ints
    predicted: Ints

    @property
    def precision(self) -> Floats:
        """0 for a class that nothing was taken for."""
        return _share(self.hits, self.predicted)

    @property
    def recall(self) -> Floats:
        """0 for a class without images."""
        return _share(self.hits, self.actual)

    @property
    def f1(self) -> Floats:
        """Harmonic mean of precision and recall."""
        return _share(2 * self.hits, self.actual + self.predicted)

    def macro(self) -> Averages:
        """All classes alike, without those that neither images nor predictions have."""
        return self._mean((self.actual + self.predicted) > 0)

    def weighted(self) -> Averages:
        """Each class by its images."""
        return self._mean(self.actual)

    def micro(self) -> Averages:
        """All decisions alike."""
        whole = [counts.sum(keepdims=True) for counts in (self.hits, self.actual, self.predicted)]
        return Counts(*whole)._mean(np.ones(1))

    def _mean(self, weights: NDArray[np.generic]) -> Averages:
        weights = weights.astype(np.float64)
        precision, recall, f1 = (
            float(np.dot(values, weights) / weights.sum()) if weights.any() else 0.0
            for values in (self.precision, self.recall, self.f1)
        )
        return Averages(precision=precision, recall=recall, f1=f1)


def _share(part: Ints, whole: Ints) -> Floats:
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)
