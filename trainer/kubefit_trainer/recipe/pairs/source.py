"""Sets of texts with targets as sources of samples."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kubefit.api.recipe import Documents, Text
from kubefit_trainer.preflight import pairs
from kubefit_trainer.preflight.documents import Texts
from kubefit_trainer.recipe.labelled import Labelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs(Labelled):
    """A set of texts with targets, in memory.

    `classes` are the names of all that a target is made of, once they are known; `labels` tell
    nothing.
    """

    texts: Texts
    targets: Texts
    tokens: tuple[str, ...] = ()
    """Those of texts that are known, the most frequent one first; empty until they are."""
    target_tokens: tuple[str, ...] = ()
    """Those of targets."""

    def truth(self, samples: NDArray[np.int64]) -> NDArray[Any]:
        """Targets (samples,)."""
        return np.array([self.targets[sample] for sample in samples.tolist()], object)

    def look(self, sample: int) -> None:
        """Does nothing: all pairs were read when the set was opened."""

    def _own(self, samples: NDArray[np.int64]) -> dict[str, Any]:
        raise NotImplementedError("pairs that cannot be used are left out when they are read")


def open_pairs(
    given: Documents, text: Text, *, volume: Path, field: str
) -> tuple[Pairs, dict[str, str]]:
    """Reads a set of pairs; the others by their place with the reasons.

    Raises:
        ConfigurationError: pairs are missing, or unusable and not to be left out.

    """
    found = pairs.read(given, text, volume, field=f"{field}.{given.source}")
    source = Pairs(
        labels=np.zeros(len(found.texts), np.int32),
        classes=[],
        name=lambda sample: found.places[sample],
        texts=found.texts,
        targets=found.targets,
    )
    return source, found.left_out
