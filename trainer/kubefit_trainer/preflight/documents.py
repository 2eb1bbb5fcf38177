"""Labelled texts in a CSV file, in lines of JSON, or in files by class: read whole, no network yet.

Every worker reads all of them: a vocabulary is that of all training texts, and lines have their
labels beside them.
"""

import io
import json
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from dataclasses import field as filled_with
from pathlib import Path
from typing import Any, TextIO

from kubefit.api.recipe import Documents, LabelKind
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import csv_rows, encodings, folders
from kubefit_trainer.preflight.labels import Labels, NamedClasses
from kubefit_trainer.preflight.pictures import UnreadableError

KIND = "texts"


class Texts:
    """Many texts in little memory: one buffer."""

    def __init__(self) -> None:
        """No texts yet."""
        self._buffer = bytearray()
        self._ends = array("Q", [0])

    def append(self, text: str) -> None:
        """Appends one."""
        self._buffer += text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._buffer))

    def __len__(self) -> int:
        """Number of texts."""
        return len(self._ends) - 1

    def __getitem__(self, sample: int) -> str:
        """A text by number."""
        whole = bytes(self._buffer[self._ends[sample] : self._ends[sample + 1]])
        return whole.decode("utf-8", "replace")


class Places:
    """What people find texts by, in little memory: numbers, and what names those."""

    def __init__(self, name: Callable[[int], str]) -> None:
        """None yet."""
        self.name = name
        self._numbers = array("Q")

    def append(self, number: int) -> None:
        """Appends that of the next text."""
        self._numbers.append(number)

    def __getitem__(self, sample: int) -> str:
        """The place of a text."""
        return self.name(self._numbers[sample])


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Labelled texts, in the order of lines or files."""

    texts: Texts
    labels: Labels
    places: Places
    left_out: dict[str, str] = filled_with(default_factory=dict)
    """Texts that cannot be used by their place, with the reasons."""


@dataclass(frozen=True, slots=True)
class Row:
    """A text as it was found."""

    place: int
    """Number of the line or file."""
    answer: str
    """Its class, or its target."""
    text: str = ""
    fault: str = ""
    """Why it cannot be used."""


def read(
    documents: Documents, volume: Path, *, encoding: str, field: str, known: list[str] | None
) -> Corpus:
    """Reads texts and labels; those that cannot be used are left out and told.

    `known` are the classes of the training texts, absent for these; `field` is the path of the
    field that tells where the texts lie.

    Raises:
        ConfigurationError: there are no texts, or a file or a line is none of that kind.

    """
    texts, classes = Texts(), NamedClasses(LabelKind.SINGLE_LABEL)
    left_out: dict[str, str] = {}
    names, path = known, volume / documents.paths[0]
    if documents.folder is not None:
        names = known or folders.class_names(path, field=field, kind=KIND)
        found = folders.index(path, names, field=field, suffixes=(".txt",), kind=KIND)
        places, rows = Places(found.files.name), _of_folder(found, names, encoding)
    else:
        places, rows = lines(documents, volume, encoding=encoding, field=field)
    for row in rows:
        if row.fault:
            left_out[places.name(row.place)] = row.fault
            continue
        texts.append(row.text)
        places.append(row.place)
        classes.add([row.answer])
    if not texts:
        why = f", the first because: {next(iter(left_out.values()))}" if left_out else ""
        raise ConfigurationError(f"{field}: there is no text to read{why}")
    labels = classes.labels(known=names, where=f"{field}: {documents.paths[0]}", kind=KIND)
    return Corpus(texts=texts, labels=labels, places=places, left_out=left_out)


def lines(
    documents: Documents, volume: Path, *, encoding: str, field: str
) -> tuple[Places, Iterator[Row]]:
    """Texts of a CSV file or of lines of JSON, and an empty collection of their places.

    Raises:
        ConfigurationError: the file, or while they are drawn a line, is none of that kind.

    """
    path = volume / documents.paths[0]
    where = f"{field}: {path}"
    places = Places(lambda line: f"{documents.paths[0]} line {line}")
    return places, _of_file(_content(path, where), encoding, documents, where)


def refuse(corpus: Corpus, *, field: str) -> None:
    """For `onUnreadable: fail`.

    Raises:
        UnreadableError: naming texts that cannot be used.

    """
    if corpus.left_out:
        raise UnreadableError(corpus.left_out, field=field, what="text")


def _of_folder(found: folders.LabelledFiles, names: list[str], encoding: str) -> Iterator[Row]:
    for file, label in enumerate(found.labels):
        try:
            text = encodings.decoded(Path(found.files[file]).read_bytes(), encoding)
        except OSError as error:
            yield Row(file, names[label], fault=error.strerror or str(error))
        except encodings.WrongEncodingError as error:
            yield Row(file, names[label], fault=str(error))
        else:
            yield _row(file, names[label], text)


def _row(place: int, label: str, text: str) -> Row:
    return Row(place, label, text, fault="" if text.strip() else "it is empty")


def _content(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{where} cannot be read: {error.strerror}") from error


def _of_file(content: bytes, encoding: str, documents: Documents, where: str) -> Iterator[Row]:
    """Decodes little by little: as one string, many files are four times as large."""
    rows, newline = (_csv, "") if documents.csv is not None else (_jsonl, "\n")
    try:
        named = encodings.named(content, encoding)
        with io.TextIOWrapper(io.BytesIO(content), named, newline=newline) as stream:
            yield from rows(stream, documents, where)
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{where}: {encodings.misfit(content, encoding) or error}"
        ) from error
    except encodings.WrongEncodingError as error:
        raise ConfigurationError(f"{where}: {error}") from error


def _csv(stream: TextIO, documents: Documents, where: str) -> Iterator[Row]:
    rows = csv_rows.read(stream, where)
    _, columns = next(rows, (0, []))
    places = {name: place for place, name in enumerate(columns)}
    fields = f"textColumn and {'target' if documents.target_column else 'label'}Column"
    for name in (documents.text_column, documents.answer_column):
        if name not in places:
            raise ConfigurationError(
                f"{where} has no column {name!r}, only {', '.join(columns) or 'nothing'}; set"
                f" {fields} to what they are called"
            )
    for line, row in rows:
        if not row:
            continue
        if len(row) > len(columns):
            raise ConfigurationError(
                f"{where}: line {line} has more cells than the {len(columns)} columns; a text with"
                " a comma in it needs quotes around it"
            )
        row += [""] * (len(columns) - len(row))
        answer = row[places[documents.answer_column]]
        if not answer and documents.target_column is None:
            raise ConfigurationError(f"{where}: line {line} has no {documents.label_column}")
        yield _row(line, answer, row[places[documents.text_column]])


def _jsonl(stream: TextIO, documents: Documents, where: str) -> Iterator[Row]:
    for number, line in enumerate(stream, start=1):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(f"{where}: {place} is not JSON ({error})") from error
        if not isinstance(row, dict):
            raise ConfigurationError(f"{where}: {place} is not a JSON object")
        label = row.get(documents.label_column, "")
        if documents.target_column is not None:
            if documents.target_column not in row:
                raise ConfigurationError(
                    f"{where}: {place} has no {documents.target_column!r}, only"
                    f" {', '.join(row) or 'nothing'}; set targetColumn to what it is called"
                )
            answer = _said(row, documents.target_column, f"{where}: {place}")
        elif isinstance(label, str | int) and label != "":
            answer = str(label)
        else:
            raise ConfigurationError(
                f"{where}: {place} has no {documents.label_column!r} that is a word or a number"
            )
        yield _row(number, answer, _said(row, documents.text_column, f"{where}: {place}"))


def _said(row: dict[str, Any], key: str, where: str) -> str:
    text = row.get(key)
    if text is not None and not isinstance(text, str):
        raise ConfigurationError(f"{where} has no text in {key!r} but {text!r:.40}")
    return text or ""
