"""Labelled samples of any kind, and which of them a job uses for what."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from dataclasses import field as filled_with
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kubefit.api.recipe import Recipe
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.recipe import order


def _numbered(sample: int) -> str:
    return f"sample {sample}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled(ABC):
    """A set of labelled samples."""

    labels: NDArray[Any]
    """Class numbers (samples,), or else one number for each of `classes`: (samples, classes).

    Of texts their character numbers from 1, filled up with 0: (samples, longest).
    """
    classes: list[str]
    """Names of the classes, or of the numbers that are to be predicted."""
    name: Callable[[int], str] = _numbered
    """What people find a sample by."""
    splits: NDArray[np.int8] | None = None
    """Place of each sample's split in `manifests.SPLITS`, where it is given."""
    weights: NDArray[np.float32] | None = None
    """Weight of each sample in the loss, where it is given."""
    failures: list[ConfigurationError] = filled_with(default_factory=list)
    """Why batches could not be made; the text of TensorFlow's own error is not for people."""

    @property
    def strata(self) -> NDArray[np.int32]:
        """Of which splits hold out shares alike: the classes, or the same of all samples."""
        return self.labels if self.labels.ndim == 1 else np.zeros(len(self.labels), np.int32)

    def truth(self, samples: NDArray[np.int64]) -> NDArray[Any]:
        """What predictions for these samples are judged by: their labels, or whole texts."""
        return self.labels[samples]

    @abstractmethod
    def look(self, sample: int) -> None:
        """Reads a sample as training will; raises UnreadableError where it cannot be read."""

    def only(self, samples: NDArray[np.int64]) -> Self:
        """A source of these samples alone, counted from 0."""
        chosen, name = samples.tolist(), self.name
        return replace(
            self,
            labels=self.labels[samples],
            name=lambda sample: name(chosen[sample]),
            splits=None if self.splits is None else self.splits[samples],
            weights=None if self.weights is None else self.weights[samples],
            **self._own(samples),
        )

    @abstractmethod
    def _own(self, samples: NDArray[np.int64]) -> dict[str, Any]:
        """Fields that only its kind of samples has, of these samples alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Samples of a source, by number."""

    source: Labelled
    samples: NDArray[np.int64]
    weights: NDArray[np.float32] | None = None
    """Weight in the loss of every sample of the source; None where all weigh the same."""

    def steps(self, recipe: Recipe) -> int:
        """Global batches in one pass."""
        return order.steps(len(self.samples), recipe.training.images_per_step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a job trains on and looks at."""

    train: Chosen
    validation: Chosen | None
    evaluation: Chosen | None
    """For the evaluation after training: the test samples, or else those of the validation."""
    skipped: dict[str, str] = filled_with(default_factory=dict)
    """Samples of all sets that were left out, by name, with the reasons."""

    def sources(self) -> list[Labelled]:
        """Every source once."""
        chosen = (self.train, self.validation, self.evaluation)
        return list({id(c.source): c.source for c in chosen if c is not None}.values())

    def with_sources(self, change: Callable[[Labelled], Labelled]) -> Self:
        """The same of changed sources; each is changed once, however many sets are of it."""
        changed = {id(source): change(source) for source in self.sources()}

        def of(chosen: Chosen | None) -> Chosen | None:
            return chosen and replace(chosen, source=changed[id(chosen.source)])

        return replace(
            self,
            train=replace(self.train, source=changed[id(self.train.source)]),
            validation=of(self.validation),
            evaluation=of(self.evaluation),
        )
