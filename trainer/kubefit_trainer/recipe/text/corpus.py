"""Sets of texts as sources of samples."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kubefit.api.recipe import Documents, OnUnreadable, Text
from kubefit_trainer.preflight import documents
from kubefit_trainer.preflight.documents import Texts
from kubefit_trainer.recipe.labelled import Labelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus(Labelled):
    """A set of labelled texts, in memory."""

    texts: Texts
    numbers: NDArray[np.int64]
    """Place of each sample among the texts."""
    words: tuple[str, ...] = ()
    """The vocabulary, the most frequent word first; empty until it is known."""

    def text(self, sample: int) -> str:
        """The text of a sample."""
        return self.texts[int(self.numbers[sample])]

    def look(self, sample: int) -> None:
        """Does nothing: all texts were read when the set was opened."""

    def _own(self, samples: NDArray[np.int64]) -> dict[str, Any]:
        return {"numbers": self.numbers[samples]}


def open_corpus(
    given: Documents, text: Text, *, volume: Path, field: str, classes: list[str] | None
) -> tuple[Corpus, dict[str, str]]:
    """Reads a set of texts; the others by their place with the reasons.

    `classes` are those of the training set, absent for that set itself.

    Raises:
        ConfigurationError: texts are missing, or unusable and not to be left out.

    """
    field = f"{field}.{given.source}"
    found = documents.read(given, volume, encoding=text.encoding, field=field, known=classes)
    if text.on_unreadable is OnUnreadable.FAIL:
        documents.refuse(found, field=field)
    corpus = Corpus(
        labels=np.asarray(found.labels.classes, np.int32),
        classes=found.labels.names,
        name=lambda sample: found.places[sample],
        texts=found.texts,
        numbers=np.arange(len(found.texts)),
    )
    return corpus, found.left_out
