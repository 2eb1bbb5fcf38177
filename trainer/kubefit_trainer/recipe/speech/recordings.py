"""Sets of recordings as sources of samples: WAV and FLAC files, brought to one rate and length."""

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from kubefit.api.recipe import Recordings as Given
from kubefit.api.recipe import Speech
from kubefit_trainer.preflight import recordings
from kubefit_trainer.preflight.folders import FileTable
from kubefit_trainer.preflight.pictures import UnreadableError
from kubefit_trainer.recipe.labelled import Labelled

_SHORTEST = 0.025
"""Seconds: one window of the spectrogram."""
_SILENT = 1e-4
"""Amplitude, of 1: 80 dB below the loudest."""
_MORE = 0.1
"""Seconds that are read beyond those that are heard, for what resampling needs."""
_FORMATS = ("WAV", "WAVEX", "FLAC")
_STREAMED = 0x7FFF0000
"""Lengths from here on stand for what was not known when the file was begun, as programs write."""

Wave = NDArray[np.float32]
"""Amplitudes of -1 to 1, one channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recordings(Labelled):
    """A set of labelled recordings, which stay on the disk."""

    files: FileTable
    numbers: NDArray[np.int64]
    """Place of each sample among the files."""
    sample_rate: int
    length: int
    """Samples of amplitude of every recording."""
    field: str
    """Path of the field that tells where they lie."""

    def wave(self, sample: int) -> Wave:
        """The recording of a sample, shape (length,).

        Raises:
            UnreadableError: it cannot be read, or there is nothing to hear.

        """
        return _fitted(self.read(sample), self.length)

    def read(self, sample: int) -> Wave:
        """The same as long as it is, or a little more than `length`.

        Raises:
            UnreadableError: as `wave` does.

        """
        path = Path(self.files[int(self.numbers[sample])])
        try:
            return read(path, self.sample_rate, seconds=self.length / self.sample_rate)
        except (OSError, ValueError, TypeError, soundfile.LibsndfileError) as error:
            raise unreadable(self, sample, _reason(error)) from error

    def look(self, sample: int) -> None:
        """Reads the recording of a sample."""
        self.wave(sample)

    def _own(self, samples: NDArray[np.int64]) -> dict[str, Any]:
        return {"numbers": self.numbers[samples]}


def unreadable(source: Recordings, sample: int, why: str) -> UnreadableError:
    """That a recording cannot be used, with the reason."""
    path = source.files[int(source.numbers[sample])]
    return UnreadableError({path: why}, field=source.field, what="recording")


def open_recordings(
    given: Given, speech: Speech, *, volume: Path, field: str, classes: list[str] | None
) -> Recordings:
    """Lists a set of recordings; `classes` are those of the training set, absent for that itself.

    Raises:
        ConfigurationError: there are none, or their list cannot be used.

    """
    field = f"{field}.{given.source}"
    found = recordings.index(given, volume, field=field, known=classes)
    return Recordings(
        labels=np.asarray(found.labels.classes, np.int32),
        classes=found.labels.names,
        name=found.files.name,
        files=found.files,
        numbers=np.arange(len(found.files)),
        sample_rate=speech.sample_rate,
        length=speech.length,
        field=field,
    )


def read(path: Path, sample_rate: int, *, seconds: float) -> Wave:
    """The beginning of a file as one channel, the mean of all that it has, at that rate.

    What is behind `seconds` is not looked at, whether it is there or not.

    Raises:
        ValueError: it is cut short, too short, silent, or no WAV or FLAC file.
        LibsndfileError: it is damaged, or no sound at all.

    """
    if not path.stat().st_size:
        raise ValueError("the file is empty")
    with soundfile.SoundFile(path) as file:
        if file.format not in _FORMATS:
            raise ValueError(f"it is {file.format}, neither WAV nor FLAC")
        rate = file.samplerate
        told = file.frames
        wanted = math.ceil((seconds + _MORE) * rate)
        wave = file.read(wanted, dtype="float32", always_2d=True).mean(axis=1)
    heard = math.ceil(seconds * rate)
    if len(wave) < heard and (len(wave) < min(told, heard) or _missing(path)):
        raise ValueError("it is cut short: its end is not there")
    if len(wave) < _SHORTEST * rate:
        raise ValueError(
            f"it lasts {1000 * len(wave) / rate:.0f} ms, too short to hear anything; at least"
            f" {1000 * _SHORTEST:.0f} ms are needed"
        )
    if not np.isfinite(wave).all():
        raise ValueError("it has amplitudes that are not finite numbers")
    if np.abs(wave).max() < _SILENT:
        raise ValueError("it is silent")
    resampled: Wave = soxr.resample(wave, rate, sample_rate) if rate != sample_rate else wave
    return resampled.astype(np.float32, copy=False)


def _reason(error: Exception) -> str:
    """Why a file cannot be read, in a few words."""
    said = getattr(error, "strerror", None) or getattr(error, "error_string", None) or str(error)
    return str(said).rstrip(".")


def _missing(path: Path) -> int:
    """Bytes of sound that a WAV file says it has and has not: libsndfile takes what is there."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(4) != b"RIFF":
            return 0
        place = 12
        while place + 8 <= size:
            file.seek(place)
            name, length = struct.unpack("<4sI", file.read(8))
            if name == b"data":
                unknown = length == 0 or length >= _STREAMED
                return 0 if unknown else max(0, place + 8 + length - size)
            place += 8 + length + length % 2
    return 0


def _fitted(wave: Wave, length: int) -> Wave:
    """Cut behind `length`, or followed by silence up to it."""
    return np.pad(wave[:length], (0, max(0, length - len(wave))))
