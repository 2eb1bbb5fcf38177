"""What is known of the images of a set apart from the images: classes, or numbers."""

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kubefit.api.recipe import LabelKind
from kubefit_trainer.failure import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The labels of a set of images."""

    names: list[str]
    """Of the classes, or of the numbers that are to be predicted."""
    classes: "Sequence[int] | None" = None
    """Place of each image's class among the names, where every image has one."""
    rows: "array[int] | array[float] | None" = None
    """Otherwise one number for each name, image after image: 0 or 1 for a class."""

    def __len__(self) -> int:
        """Number of images."""
        if self.rows is not None:
            return len(self.rows) // len(self.names)
        return len(self.classes or ())

    @property
    def strata(self) -> "Sequence[int]":
        """Of which splits hold out shares alike: class of each image, or the same of all."""
        return self.classes if self.classes is not None else array("b", bytes(len(self)))


class NamedClasses:
    """Collects classes by name, image after image: one each, or any number."""

    def __init__(self, kind: LabelKind) -> None:
        """No images yet."""
        self._single = kind is LabelKind.SINGLE_LABEL
        self._seen: dict[str, int] = {}
        self._found = array("i")
        self._ends = array("Q")

    def add(self, names: Iterable[str]) -> None:
        """The classes of the next image."""
        self._found.extend(self._seen.setdefault(name, len(self._seen)) for name in names)
        self._ends.append(len(self._found))

    def labels(self, *, known: list[str] | None, where: str, kind: str = "images") -> Labels:
        """Labels of all images; classes are those known, or else sorted by name or number.

        Raises:
            ConfigurationError: a class is not among the known ones, or there is none.

        """
        classes = known or _sorted(self._seen)
        unknown = sorted(set(self._seen) - set(classes))
        if unknown:
            raise ConfigurationError(
                f"{where}: label {unknown[0]!r} is not among the classes of the training {kind}"
            )
        if not classes:
            raise ConfigurationError(f"{where}: no {kind[:-1]} has a label")
        places = {name: place for place, name in enumerate(classes)}
        by_number = [places[name] for name in self._seen]
        if self._single:
            return Labels(names=classes, classes=array("i", (by_number[n] for n in self._found)))
        rows, start = array("B", bytes(len(classes) * len(self._ends))), 0
        for image, end in enumerate(self._ends):
            for number in self._found[start:end]:
                rows[image * len(classes) + by_number[number]] = 1
            start = end
        return Labels(names=classes, rows=rows)


def places(count: int, *, known: list[str] | None) -> list[str]:
    """Names of what has only places: those of the training images, or else numbers from 0."""
    return known if known and len(known) == count else [str(place) for place in range(count)]


def numbered(
    labels: Sequence[int], *, names: list[str] | None, known: list[str] | None, where: str
) -> Labels:
    """Labels that are class numbers from 0, `names` those of the classes where they have any.

    The classes are those known, the names, or the numbers. Named classes are the known ones of
    that name; without names on either side they go by number.

    Raises:
        ConfigurationError: a number is below 0 or has no name, or an image's class is not known.

    """
    smallest, largest = min(labels), max(labels)
    if smallest < 0:
        raise ConfigurationError(f"{where} must be 0 to classes - 1, not {smallest}")
    classes = names or known or places(largest + 1, known=None)
    if largest >= len(classes):
        of = "that are named" if names else "of the training images"
        raise ConfigurationError(
            f"{where}: label {largest} is not among the {len(classes)} classes {of}"
        )
    if known is None or classes == known:
        return Labels(names=classes, classes=labels)
    of_class, found = _places_of(classes, known), array("i")
    for label in labels:
        place = of_class[label]
        if place is None:
            raise ConfigurationError(
                f"{where}: label {classes[label]!r} is not among the classes of the training images"
            )
        found.append(place)
    return Labels(names=known, classes=found)


def table(
    rows: "array[int] | array[float]",
    *,
    names: list[str],
    known: list[str] | None,
    kind: LabelKind,
    where: str,
) -> Labels:
    """Labels that are one number for each name, image after image, brought into the known order.

    A single number is the known one whatever its name, and numbers that training does not name go
    by place.

    Raises:
        ConfigurationError: a number is not finite, a class is not 0 or 1, or they are not those
            of the training images.

    """
    if known is not None and len(known) != len(names):
        raise ConfigurationError(
            f"{where}: {len(names)} for each image, but {len(known)} for each of the training"
            " images"
        )
    for place, value in enumerate(rows):
        image = place // len(names)
        if kind is LabelKind.REGRESSION and not math.isfinite(value):
            raise ConfigurationError(f"{where}: image {image} has {value:g}, no finite number")
        if kind is LabelKind.MULTI_LABEL and value not in (0, 1):
            raise ConfigurationError(f"{where}: image {image} has {value:g}, neither 0 nor 1")
    if kind is LabelKind.MULTI_LABEL:
        if not any(rows):
            raise ConfigurationError(f"{where}: no image has a label")
        rows = array("B", map(int, rows))
    else:
        rows = array("f", rows)
    if known is not None and known != names and len(names) > 1:
        rows = _reordered(rows, names, known, where=where)
    return Labels(names=known or names, rows=rows)


def _reordered(
    rows: "array[Any]", names: list[str], known: list[str], *, where: str
) -> "array[Any]":
    columns = _places_of(names, known)
    missing = sorted(place for place in range(len(known)) if place not in columns)
    if missing:
        raise ConfigurationError(
            f"{where}: {', '.join(names)} for each image, but not {known[missing[0]]!r}, which the"
            " training images have; these must be the same"
        )
    found = array(rows.typecode, rows)
    for column, place in enumerate(columns):
        found[place :: len(names)] = rows[column :: len(names)]
    return found


def _places_of(names: list[str], known: list[str]) -> list[int | None]:
    """Place of each name among the known ones, or its own where these are mere numbers."""
    if known == places(len(known), known=None) and not set(names) & set(known):
        return [place if place < len(known) else None for place in range(len(names))]
    found = {name: place for place, name in enumerate(known)}
    return [found.get(name) for name in names]


def _sorted(names: Iterable[str]) -> list[str]:
    try:
        return sorted(names, key=int)
    except ValueError:
        return sorted(names)
