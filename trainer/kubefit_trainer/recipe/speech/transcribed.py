"""Sets of recordings with transcripts as sources of samples, and the alphabet they are written in.

Character numbers count from 1 in the order of the alphabet; 0 is the blank of CTC, and what rows
are filled up with.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kubefit.api.recipe import Recordings as Given
from kubefit.api.recipe import Speech
from kubefit.api.recipe.speech import STEP_SECONDS
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import transcripts
from kubefit_trainer.recipe.labelled import Inputs, Labelled
from kubefit_trainer.recipe.speech import recordings
from kubefit_trainer.recipe.speech.recordings import Recordings

BLANK = ""
"""The first of the classes: nothing is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcribed(Recordings):
    """A set of recordings with transcripts; `labels` are character numbers (samples, longest)."""

    texts: list[str]
    """What is said, as it is to be written."""
    frames: int
    """Places of a recording of full length at which a character may be told."""

    def truth(self, samples: NDArray[np.int64]) -> NDArray[Any]:
        """Texts (samples,), with the characters that no training transcript has."""
        return np.array([self.texts[sample] for sample in samples.tolist()], object)

    def look(self, sample: int) -> None:
        """Reads a recording; raises UnreadableError where its transcript cannot be learned too."""
        if why := self._fault(sample):
            raise recordings.unreadable(self, sample, why)

    def _fault(self, sample: int) -> str:
        whole = self.length / self.sample_rate
        heard = self.read(sample)
        if len(heard) > self.length + STEP_SECONDS * self.sample_rate:
            return (
                f"it is longer than the {whole:g} s that are heard, and its transcript is of all"
                " of it; raise spec.recipe.speech.seconds"
            )
        seconds = len(heard) / self.sample_rate
        frames = max(1, round(self.frames * seconds / whole))
        return transcripts.fault(
            self.texts[sample], frames, heard=f"a recording of {seconds:.2f} s"
        )

    def _own(self, samples: NDArray[np.int64]) -> dict[str, Any]:
        texts = [self.texts[sample] for sample in samples.tolist()]
        return Recordings._own(self, samples) | {"texts": texts}


def open_transcribed(given: Given, speech: Speech, *, volume: Path, field: str) -> Transcribed:
    """Lists a set of recordings; characters have no numbers yet.

    Raises:
        ConfigurationError: there are none, or their list cannot be used.

    """
    field = f"{field}.{given.source}"
    found = transcripts.index(given, speech, volume, field=field)
    return Transcribed(
        labels=np.zeros((len(found.texts), 0), np.int32),
        classes=[BLANK],
        name=found.files.name,
        files=found.files,
        numbers=np.arange(len(found.files)),
        sample_rate=speech.sample_rate,
        length=speech.length,
        field=field,
        texts=found.texts,
        frames=speech.frames,
    )


def with_alphabet(inputs: Inputs) -> Inputs:
    """The same with characters as numbers: those of the training transcripts, no held-out ones.

    Raises:
        ConfigurationError: there are none to learn.

    """
    train = inputs.train
    said = transcribed(train.source)
    alphabet = sorted({one for sample in train.samples.tolist() for one in said.texts[sample]})
    if not alphabet:
        raise ConfigurationError(f"{said.field}: no training recording has a transcript")
    return inputs.with_sources(lambda source: _written(source, alphabet))


def numbered(texts: Sequence[str], alphabet: Sequence[str]) -> NDArray[np.int32]:
    """Character numbers (texts, longest), filled up with 0; characters without one are left out.

    There is at least one column.
    """
    numbers = {character: number for number, character in enumerate(alphabet, start=1)}
    rows = [[numbers[one] for one in text if one in numbers] for text in texts]
    found = np.zeros((len(rows), max([1, *map(len, rows)])), np.int32)
    for place, row in zip(found, rows, strict=True):
        place[: len(row)] = row
    return found


def transcribed(source: Labelled) -> Transcribed:
    """The source as what it is."""
    if not isinstance(source, Transcribed):
        raise TypeError(f"{type(source).__name__} is no set of recordings with transcripts")
    return source


def _written(source: Labelled, alphabet: list[str]) -> Transcribed:
    labels = numbered(transcribed(source).texts, alphabet)
    return replace(transcribed(source), labels=labels, classes=[BLANK, *alphabet])
