"""Images listed in a CSV file with the columns path, label and, if wanted, split and weight."""

import csv
import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight.folders import FileTable

SPLITS = ("train", "validation", "test")
_NEEDED = ("path", "label")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The listed images in the order of the lines."""

    files: FileTable
    classes: list[str]
    """Sorted; as numbers where all are whole numbers."""
    labels: "array[int]"
    """Place of each image's class among `classes`."""
    splits: "array[int] | None"
    """Place of each image's split in `SPLITS`; None without the column."""
    weights: "array[float] | None"
    """Weight of each image in the loss; None without the column."""


def read(path: Path, *, known: list[str] | None, field: str) -> Manifest:
    """Reads a manifest; paths are relative to its folder.

    `known` are the classes of the training images, absent for these themselves.

    Raises:
        ConfigurationError: the file is missing, or a line cannot be used.

    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return _read(csv.DictReader(stream), path, known=known, field=field)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{field}: {path} cannot be read as CSV: {error}") from error


def _read(
    rows: "csv.DictReader[str]", path: Path, *, known: list[str] | None, field: str
) -> Manifest:
    columns = rows.fieldnames or []
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        raise ConfigurationError(
            f"{field}: {path} has no column {missing[0]!r}, only {', '.join(columns) or 'nothing'}"
        )
    splits = array("b") if "split" in columns else None
    weights = array("d") if "weight" in columns else None
    names: list[str] = []
    seen: dict[str, int] = {}
    found = array("i")
    for row in rows:
        where = f"{field}: line {rows.line_num} of {path}"
        if not row["path"] or not row["label"]:
            raise ConfigurationError(f"{where} has no {'label' if row['path'] else 'path'}")
        names.append(row["path"])
        found.append(seen.setdefault(row["label"], len(seen)))
        if splits is not None:
            splits.append(_split(row["split"], where))
        if weights is not None:
            weights.append(_weight(row["weight"], where))
    if not names:
        raise ConfigurationError(f"{field}: {path} lists no images")
    files = FileTable()
    files.extend(str(path.parent), names)
    classes = known or _sorted(seen)
    unknown = sorted(set(seen) - set(classes))
    if unknown:
        raise ConfigurationError(
            f"{field}: label {unknown[0]!r} of {path} is not among the classes of the training"
            " images"
        )
    places = {number: classes.index(name) for name, number in seen.items()}
    labels = array("i", (places[number] for number in found))
    return Manifest(files=files, classes=classes, labels=labels, splits=splits, weights=weights)


def _split(text: str | None, where: str) -> int:
    if text not in SPLITS:
        raise ConfigurationError(f"{where}: split {text!r} is not {', '.join(SPLITS[:2])} or test")
    return SPLITS.index(text)


def _weight(text: str | None, where: str) -> float:
    try:
        weight = float(text or "")
    except ValueError:
        weight = math.nan
    if not 0 <= weight < math.inf:
        raise ConfigurationError(f"{where}: weight {text!r} is not a number of at least 0")
    return weight


def _sorted(names: Iterable[str]) -> list[str]:
    try:
        return sorted(names, key=int)
    except ValueError:
        return sorted(names)
