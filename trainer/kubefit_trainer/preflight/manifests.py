"""Images listed in a CSV or Parquet file: path, one label or several, perhaps split and weight."""

import math
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from kubefit.api.recipe import Images, LabelKind
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import csv_rows, parquet
from kubefit_trainer.preflight.folders import FileTable
from kubefit_trainer.preflight.labels import Labels, NamedClasses, table

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The listed images in the order of the lines."""

    files: FileTable
    labels: Labels
    splits: "array[int] | None"
    """Place of each image's split in `SPLITS`; None without the column."""
    weights: "array[float] | None"
    """Weight of each image in the loss; None without the column."""


def read(
    path: Path,
    images: Images,
    kind: LabelKind,
    *,
    known: list[str] | None,
    field: str,
    what: str = "images",
) -> Manifest:
    """Reads a manifest; paths are relative to its folder, or absolute.

    `known` are the classes of the training images, absent for these themselves; `what` is what
    people call the samples.

    Raises:
        ConfigurationError: the file is missing, or a line cannot be used.

    """
    reader = _Reader(path, images, kind, field, what)
    if path.suffix.lower() == ".parquet":
        columns, cells = parquet.read(path, images.label_columns, field=field)
        return reader.read(columns, cells, known=known)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv_rows.read(stream, f"{field}: {path}")
            _, columns = next(rows, (0, []))
            lines = ((f"line {line}", _cells(columns, row)) for line, row in rows if row)
            return reader.read(columns, lines, known=known)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{field}: {path} cannot be read as CSV: {error}") from error


Cell = object
"""Text, or what a column of another format holds."""
Rows = Iterable[tuple[str, dict[str, Cell]]]
"""Place of a row, for people, and its cells by column."""


def _cells(columns: list[str], row: list[str]) -> dict[str, Cell]:
    """Cells by column; None where the row ends before it."""
    return dict(zip_longest(columns, row[: len(columns)]))


@dataclass(frozen=True, slots=True)
class _Reader:
    path: Path
    images: Images
    kind: LabelKind
    field: str
    what: str

    def read(self, columns: Iterable[str], rows: Rows, *, known: list[str] | None) -> Manifest:
        present = list(columns)
        for name in ("path", *self.images.label_columns):
            if name not in present:
                raise ConfigurationError(
                    f"{self.field}: {self.path} has no column {name!r}, only"
                    f" {', '.join(present) or 'nothing'}"
                )
        splits = array("b") if "split" in present else None
        weights = array("d") if "weight" in present else None
        names: list[str] = []
        labels = self._labels()
        for place, row in rows:
            where = f"{self.field}: {place} of {self.path}"
            if not row["path"]:
                raise ConfigurationError(f"{where} has no path")
            names.append(str(row["path"]))
            labels.add(row, where)
            if splits is not None:
                splits.append(_split(row["split"], where))
            if weights is not None:
                weights.append(_weight(row["weight"], where))
        if not names:
            raise ConfigurationError(f"{self.field}: {self.path} lists no {self.what}")
        files = FileTable()
        files.extend(str(self.path.parent), names)
        found = labels.found(known, f"{self.field}: {self.path}")
        return Manifest(files=files, labels=found, splits=splits, weights=weights)

    def _labels(self) -> "_Names | _Numbers":
        if self.kind is LabelKind.REGRESSION or len(self.images.label_columns) > 1:
            return _Numbers(self.images.label_columns, self.kind)
        (column,) = self.images.label_columns
        return _Names(column, self.images.label_separator, self.kind, self.what)


class _Names:
    """Classes by name in one column: one, or several with something between them."""

    def __init__(self, column: str, separator: str, kind: LabelKind, what: str) -> None:
        self._column = column
        self._what = what
        self._separator = separator if kind is LabelKind.MULTI_LABEL else None
        self._classes = NamedClasses(kind)

    def add(self, row: dict[str, Cell], where: str) -> None:
        self._classes.add(self._names(row[self._column], where))

    def _names(self, cell: Cell, where: str) -> Iterator[str]:
        if self._separator is None:
            if cell is None or cell == "":
                raise ConfigurationError(f"{where} has no {self._column}")
            yield str(cell)
        elif isinstance(cell, list):
            yield from map(str, cell)
        elif cell is not None:
            yield from filter(None, map(str.strip, str(cell).split(self._separator)))

    def found(self, known: list[str] | None, where: str) -> Labels:
        return self._classes.labels(known=known, where=where, kind=self._what)


class _Numbers:
    """A column for each number: that of a class is 0 or 1."""

    def __init__(self, columns: list[str], kind: LabelKind) -> None:
        self._columns = columns
        self._kind = kind
        self._rows: array[Any] = array("f" if kind is LabelKind.REGRESSION else "B")

    def add(self, row: dict[str, Cell], where: str) -> None:
        for column in self._columns:
            number = _number(row[column])
            if self._kind is LabelKind.REGRESSION:
                if not math.isfinite(number):
                    raise ConfigurationError(
                        f"{where}: {column} {row[column]!r} is not a finite number"
                    )
                self._rows.append(number)
            elif number in (0, 1):
                self._rows.append(int(number))
            else:
                raise ConfigurationError(f"{where}: {column} {row[column]!r} is neither 0 nor 1")

    def found(self, known: list[str] | None, where: str) -> Labels:
        return table(self._rows, names=self._columns, known=known, kind=self._kind, where=where)


def _number(cell: Cell) -> float:
    try:
        return float(str(cell))
    except ValueError:
        return 1.0 if cell is True else 0.0 if cell is False else math.nan


def _split(cell: Cell, where: str) -> int:
    if cell not in SPLITS:
        raise ConfigurationError(f"{where}: split {cell!r} is not {', '.join(SPLITS[:2])} or test")
    return SPLITS.index(str(cell))


def _weight(cell: Cell, where: str) -> float:
    weight = _number(cell)
    if not 0 <= weight < math.inf:
        raise ConfigurationError(f"{where}: weight {cell!r} is not a number of at least 0")
    return weight
