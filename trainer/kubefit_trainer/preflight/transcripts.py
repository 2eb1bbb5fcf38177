"""Recordings with their transcripts, listed in a CSV file or in lines of JSON; none is opened."""

import csv
import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TextIO

from kubefit.api.recipe import Recordings, Speech
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight.folders import FileTable
from kubefit_trainer.preflight.pictures import UnreadableError

KIND = "recordings"
COLUMNS = ("path", "transcript")
_JSON_LINES = ".jsonl"
_UNKNOWN = 5
"""Characters that are named when there are unknown ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcribed:
    """Recordings by number, and what is said in each."""

    files: FileTable
    texts: list[str]


def index(given: Recordings, speech: Speech, volume: Path, *, field: str) -> Transcribed:
    """Reads paths and transcripts in the order of the lines; `field` tells where they lie.

    Raises:
        ConfigurationError: the list is missing, empty, or a line cannot be used.

    """
    path = volume / given.paths[0]
    where = f"{field}: {path}"
    lowercase = speech.transcription is not None and speech.transcription.lowercase
    names: list[str] = []
    texts: list[str] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = _jsonl if path.suffix.lower() == _JSON_LINES else _csv
            for place, row in lines(stream, where):
                name, text = (row.get(column) for column in COLUMNS)
                if not isinstance(name, str) or not name:
                    raise ConfigurationError(f"{where}: {place} has no path")
                if text is not None and not isinstance(text, str):
                    raise ConfigurationError(
                        f"{where}: {place} has no text for a transcript but {text!r:.40}"
                    )
                names.append(name)
                texts.append(normal(text or "", lowercase=lowercase))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{where} cannot be read: {error}") from error
    if not names:
        raise ConfigurationError(f"{where} lists no {KIND}")
    files = FileTable()
    files.extend(str(path.parent), names)
    return Transcribed(files=files, texts=texts)


def normal(text: str, *, lowercase: bool) -> str:
    """What is compared and learned: composed letters (NFC), one space between words, none around.

    Capital letters are small ones if `lowercase`; punctuation stays.
    """
    composed = unicodedata.normalize("NFC", text.lower() if lowercase else text)
    return " ".join(composed.split())


def needed_frames(text: str) -> int:
    """Frames that CTC needs to write the text: one a character, and a blank between equal ones."""
    return len(text) + sum(one == other for one, other in pairwise(text))


def fault(text: str, frames: int, *, heard: str) -> str:
    """Why a transcript cannot be learned from so many frames; empty if it can.

    `heard` is what has the frames, for people.
    """
    if not text:
        return "its transcript is empty"
    if (needed := needed_frames(text)) > frames:
        return (
            f"its transcript of {len(text)} characters needs {needed} frames, and {heard} has"
            f" {frames}"
        )
    return ""


def refuse(found: Transcribed, speech: Speech, *, field: str) -> None:
    """For `onUnreadable: fail`, before any recording is heard.

    Raises:
        UnreadableError: naming recordings whose transcripts are empty, or longer than can be said.

    """
    heard = f"all that is heard ({speech.seconds:g} s)"
    faults = ((i, fault(text, speech.frames, heard=heard)) for i, text in enumerate(found.texts))
    if reasons := {found.files[i]: why for i, why in faults if why}:
        raise UnreadableError(reasons, field=field, what="recording")


def unknown(texts: Sequence[str], alphabet: Iterable[str]) -> str:
    """What is to be said of characters that no training transcript has; empty without any."""
    strange = Counter("".join(texts))
    for character in alphabet:
        strange.pop(character, None)
    if not strange:
        return ""
    affected = sum(not strange.keys().isdisjoint(text) for text in texts)
    named = ", ".join(f"{one!r}" for one, _ in strange.most_common(_UNKNOWN))
    more = f" and {len(strange) - _UNKNOWN} others" if len(strange) > _UNKNOWN else ""
    return (
        f"{strange.total()} characters of {affected} transcripts ({named}{more}) are in no training"
        " transcript; they cannot be written, and count as mistakes"
    )


Rows = Iterator[tuple[str, dict[str, object]]]
"""Place of a row, for people, and its cells by column."""


def _csv(stream: TextIO, where: str) -> Rows:
    rows = csv.DictReader(stream, strict=True)
    present = list(rows.fieldnames or [])
    for name in COLUMNS:
        if name not in present:
            raise ConfigurationError(
                f"{where} has no column {name!r}, only {', '.join(present) or 'nothing'}"
            )
    for row in rows:
        if None in row:
            raise ConfigurationError(
                f"{where}: line {rows.line_num} has more cells than the {len(present)} columns; a"
                " transcript with a comma in it needs quotes around it"
            )
        yield f"line {rows.line_num}", dict[str, object](row)


def _jsonl(stream: TextIO, where: str) -> Rows:
    for number, line in enumerate(stream, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(f"{where}: line {number} is not JSON ({error})") from error
        if not isinstance(row, dict):
            raise ConfigurationError(f"{where}: line {number} is not a JSON object")
        yield f"line {number}", row
