"""Reads a document so that no field of it is lost.

What is read is taken out; what is left at the end has no counterpart, and is told.
"""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any


class UnconvertibleError(ValueError):
    """No TrainingJob can be made of the document; one sentence with the path of the field."""


@dataclass(frozen=True, slots=True)
class Note:
    """What a person has to know of a field, of the document or of the TrainingJob."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


@dataclass(slots=True)
class Fields:
    """A mapping of the document whose entries are taken one by one."""

    path: str
    notes: list[Note]
    left: dict[str, Any]
    parts: list["Fields"] = field(default_factory=list)

    def __contains__(self, name: str) -> bool:
        return self.left.get(name) is not None

    def take(self, name: str) -> Any:
        """The value as it is; None where it is absent."""
        return self.left.pop(name, None)

    def text(self, name: str) -> str:
        """A text; empty where it is absent.

        Raises:
            UnconvertibleError: the value is no text.

        """
        value = self.take(name)
        if value is not None and not isinstance(value, str):
            raise self.refusal(name, f"{value!r} is not a text")
        return value or ""

    def number(self, name: str) -> int | None:
        """A whole number; None where it is absent.

        Raises:
            UnconvertibleError: the value is none.

        """
        value = self.take(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise self.refusal(name, f"{value!r} is not a whole number")
        return value

    def part(self, name: str) -> "Fields":
        """A mapping, whose entries are to be taken too; empty where it is absent.

        Raises:
            UnconvertibleError: the value is no mapping.

        """
        value = self.take(name)
        if value is not None and not isinstance(value, dict):
            raise self.refusal(name, "is not a mapping")
        return self._adopt(f"{self.path}.{name}".lstrip("."), value or {})

    def list_of_parts(self, name: str) -> list["Fields"]:
        """A list of mappings, whose entries are to be taken too.

        Raises:
            UnconvertibleError: the value is none.

        """
        items = self.items(name)
        for i, item in enumerate(items):
            if not isinstance(item, dict):
                raise self.refusal(f"{name}[{i}]", "is not a mapping")
        return [self._adopt(f"{self.path}.{name}[{i}]", item) for i, item in enumerate(items)]

    def items(self, name: str) -> list[Any]:
        """A list; empty where it is absent.

        Raises:
            UnconvertibleError: the value is no list.

        """
        value = self.take(name)
        if value is not None and not isinstance(value, list):
            raise self.refusal(name, "is not a list")
        return value or []

    def carry(self, names: Iterable[str]) -> dict[str, Any]:
        """Those of the entries, as they are, in the order of the document."""
        wanted = set(names)
        found = [name for name in self.left if name in wanted and name in self]
        return {name: self.take(name) for name in found}

    def carry_all(self) -> dict[str, Any]:
        """All entries that are left."""
        return self.carry(list(self.left))

    def note(self, name: str, text: str) -> None:
        """Tells something of an entry."""
        self.notes.append(Note(f"{self.path}.{name}".strip("."), text))

    def leave(self, name: str, text: str) -> None:
        """Takes an entry that has no counterpart, and tells what that means, if it is there."""
        if self.take(name) not in (None, {}, [], ""):
            self.note(name, text)

    def refusal(self, name: str, text: str) -> UnconvertibleError:
        """An error at an entry."""
        return UnconvertibleError(str(Note(f"{self.path}.{name}".strip("."), text)))

    def tell_what_is_left(self) -> None:
        """A note for every entry that nobody took, here and in the parts."""
        for name in _filled(self.left):
            self.note(name, "has no counterpart in a TrainingJob and is left out")
        for part in self.parts:
            part.tell_what_is_left()

    def _adopt(self, path: str, value: dict[str, Any]) -> "Fields":
        part = Fields(path, self.notes, value)
        self.parts.append(part)
        return part


def fields_of(document: dict[str, Any]) -> Fields:
    """A document to be read; it stays as it is."""
    return Fields("", [], copy.deepcopy(document))


def _filled(mapping: dict[str, Any]) -> Iterator[str]:
    return (str(name) for name, value in mapping.items() if value not in (None, {}, []))
