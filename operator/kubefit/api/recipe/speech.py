"""`spec.recipe.speech`: recordings, their classes, and the network that hears them."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from kubefit.api.base import Fraction, Model, rule
from kubefit.api.recipe.data import ClassWeights, LabelKind
from kubefit.api.recipe.holding_out import HOLDING_OUT, HoldingOut

RECORDINGS = ("folder", "manifest")
STEP_SECONDS = 0.01
"""From one column of a spectrogram to the next, but for rounding to whole samples."""
FILTERS_OF_TIME = 2
"""Filters that halve the time for transcription, the first ones; then a frame lasts 40 ms."""
_ONE_SOURCE = "set exactly one of folder and manifest"
_TOO_SHORT = (
    "seconds and filters do not fit: each filter halves the columns, of which there are 100 a"
    " second, and the mels; some of both must be left"
)
_SETS = ("train", "validation", "test")
_ONLY_MANIFESTS = (
    "transcription needs manifests with the columns path and transcript; class folders have no"
    " transcripts"
)
_NO_CLASSES = "classWeights need classes, which transcription has not; leave them out"


class Recordings(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [rule("has(self.folder) != has(self.manifest)", _ONE_SOURCE)],
    },
):
    """A set of labelled recordings.

    Relative paths are relative to the volume, absolute ones lie in `spec.volumes` or in the image.
    """

    folder: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """Folder with a sub-folder of WAV or FLAC files per class, sorted by name."""
    manifest: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """CSV file with the columns path and label; with `transcription` path and transcript.

    The latter may be JSON lines too, where its name ends in `.jsonl`. Paths are relative to the
    file's folder, or absolute and lie in `spec.volumes` or in the image.
    """

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(getattr(self, source) is not None for source in RECORDINGS) != 1:
            raise ValueError(_ONE_SOURCE)
        return self

    @property
    def source(self) -> str:
        """Name of the field that tells where the recordings lie."""
        return next(source for source in RECORDINGS if getattr(self, source) is not None)

    @property
    def paths(self) -> list[str]:
        """Files and folders where the recordings lie."""
        return [str(getattr(self, self.source))]


class SpecAugment(Model):
    """Hides stripes of the spectrogram, drawn anew each epoch from (seed, epoch, recording)."""

    time_masks: Annotated[int, Field(ge=0, le=16)] = 1
    """Stripes of time."""
    time_share: Fraction = 0.2
    """Largest width of one, as a share of the time."""
    frequency_masks: Annotated[int, Field(ge=0, le=16)] = 1
    """Stripes of frequency."""
    frequency_share: Fraction = 0.2
    """Largest width of one, as a share of the mels."""


class SpeechNetwork(Model):
    """Convolutions over the spectrogram, each halves it; the mean over time is classified.

    With `transcription` only the first two halve the time: a frame is 40 ms long.
    """

    filters: Annotated[
        list[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=1, max_length=8)
    ] = [16, 32, 64]
    """Filters of each convolution of 3 x 3."""
    dropout: Annotated[float, Field(ge=0.0, le=0.99)] = 0.2
    """Dropout before the output layer."""


class Reader(StrEnum):
    """What reads the convolved spectrogram over the time."""

    GRU = "gru"
    """Recurrent layers, forwards and backwards: they hear all before and behind a frame."""
    CONVOLUTION = "convolution"
    """Convolutions of 5 frames: much faster, and hear what is near."""


class Transcription(Model):
    """Layers that tell of each frame which character is said, or none, trained by CTC."""

    reader: Reader = Reader.GRU
    """Kind of the layers."""
    units: Annotated[int, Field(ge=1, le=4096)] = 64
    """Units of each layer, of `gru` in each direction."""
    layers: Annotated[int, Field(ge=1, le=16)] = 1
    """Layers one above the other."""
    lowercase: bool = True
    """Capital letters are written as small ones."""


class Speech(
    HoldingOut,
    json_schema_extra={
        "x-kubernetes-validations": [
            *HOLDING_OUT,
            rule(
                "[2, 4, 8, 16, 32, 64, 128, 256][self.network.filters.size() - 1] <= self.mels &&"
                " [0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56]"
                "[self.network.filters.size() - 1] <= self.seconds",
                _TOO_SHORT,
            ),
            rule(
                "!has(self.transcription) || ("
                + " && ".join(f"(!has(self.{name}) || has(self.{name}.manifest))" for name in _SETS)
                + ")",
                _ONLY_MANIFESTS,
            ),
            rule("!has(self.transcription) || self.classWeights == 'none'", _NO_CLASSES),
        ]
    },
):
    """Recordings with one class or transcript each, and the network that learns to tell it."""

    train: Recordings
    """Training recordings; the validation split is taken from them."""
    validation: Recordings | SkipJsonSchema[None] = None
    """Recordings that training is validated on, in place of `validationSplit`."""
    test: Recordings | SkipJsonSchema[None] = None
    """Recordings for the evaluation after training, or else the validation split."""
    sample_rate: Annotated[int, Field(ge=1000, le=192000)] = 16000
    """Samples a second to which every recording is brought."""
    seconds: Annotated[float, Field(ge=0.1, le=60.0)] = 1.0
    """Length that is heard: a longer one is cut behind it, a shorter one followed by silence.

    With `transcription` a longer one cannot be used, as its transcript is of all of it.
    """
    mels: Annotated[int, Field(ge=4, le=256)] = 40
    """Bands of the spectrogram, evenly spaced for the ear."""
    spec_augment: SpecAugment | SkipJsonSchema[None] = None
    """Hides stripes of training spectrograms; none if not set."""
    network: SpeechNetwork = SpeechNetwork()
    """What hears the spectrogram."""
    transcription: Transcription | SkipJsonSchema[None] = None
    """Writes down what is said, in place of telling a class."""

    @property
    def labels(self) -> LabelKind:
        """What is known of each recording."""
        return LabelKind.SINGLE_LABEL if self.transcription is None else LabelKind.TEXT

    @property
    def step(self) -> int:
        """Samples from one column of the spectrogram to the next."""
        return round(STEP_SECONDS * self.sample_rate)

    @property
    def length(self) -> int:
        """Samples of every recording: `seconds` to the nearest whole step.

        Keras counts the columns of other lengths wrongly before it computes them.
        """
        return self.step * round(self.seconds * self.sample_rate / self.step)

    @property
    def columns(self) -> int:
        """Columns of every spectrogram."""
        return 1 + self.length // self.step

    @property
    def frames(self) -> int:
        """Places of every recording at which a character may be told."""
        found = self.columns
        for _ in self.network.filters[:FILTERS_OF_TIME]:
            found //= 2
        return found

    @model_validator(mode="after")
    def _transcripts_fit(self) -> Self:
        if self.transcription is None:
            return self
        sets = [given for name in _SETS if (given := getattr(self, name)) is not None]
        if any(given.manifest is None for given in sets):
            raise ValueError(_ONLY_MANIFESTS)
        if self.class_weights is not ClassWeights.NONE:
            raise ValueError(_NO_CLASSES)
        return self

    @model_validator(mode="after")
    def _filters_fit(self) -> Self:
        halved = 2 ** len(self.network.filters)
        if halved > self.mels or halved * STEP_SECONDS > self.seconds:
            raise ValueError(_TOO_SHORT)
        return self
