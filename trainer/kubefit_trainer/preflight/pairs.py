"""Texts with their targets, in a CSV file or in lines of JSON: read whole, no network yet."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as filled_with
from pathlib import Path

from kubefit.api.recipe import Documents, OnUnreadable, Text, Tokens
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import documents
from kubefit_trainer.preflight.documents import Places, Row, Texts
from kubefit_trainer.preflight.pictures import UnreadableError

_WORD = re.compile(r"\S+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Texts and their targets, in the order of lines."""

    texts: Texts
    targets: Texts
    places: Places
    left_out: dict[str, str] = filled_with(default_factory=dict)
    """Pairs that cannot be used by their place, with the reasons."""


def tokens_of(text: str, tokens: Tokens) -> list[str]:
    """What a text is cut into, as `TextVectorization` does it: white space is that of ASCII."""
    return list(text) if tokens is Tokens.CHARACTERS else _WORD.findall(text)


def joined(tokens: list[str], kind: Tokens) -> str:
    """The text of such tokens; between words there is one space."""
    return ("" if kind is Tokens.CHARACTERS else " ").join(tokens)


def read(given: Documents, text: Text, volume: Path, *, field: str) -> Pairs:
    """Reads texts and targets; with `onUnreadable: skip` without those that cannot be used.

    `field` is the path of the field that tells where they lie.

    Raises:
        ConfigurationError: there are no pairs, a line is none, or pairs cannot be used and are not
            to be left out: empty ones, and targets longer than may be.

    """
    texts, targets, left_out = Texts(), Texts(), dict[str, str]()
    lengths: dict[str, int] = {}
    places, rows = documents.lines(given, volume, encoding=text.encoding, field=field)
    for row, length in _measured(rows, text):
        place = places.name(row.place)
        if length > text.longest_target:
            lengths[place] = length
            left_out[place] = (
                f"its target has {length} {text.tokens}, more than {text.longest_target}"
            )
        elif row.fault or not length:
            left_out[place] = row.fault or "its target is empty"
        else:
            texts.append(row.text)
            targets.append(row.answer)
            places.append(row.place)
    if text.on_unreadable is OnUnreadable.FAIL and left_out:
        if lengths:
            raise _too_long(lengths, text, count=len(texts) + len(left_out), field=field)
        raise UnreadableError(left_out, field=field, what="pair")
    if not texts:
        why = f", the first because: {next(iter(left_out.values()))}" if left_out else ""
        raise ConfigurationError(f"{field}: there is no pair of texts to read{why}")
    return Pairs(texts=texts, targets=targets, places=places, left_out=left_out)


def _measured(rows: Iterator[Row], text: Text) -> Iterator[tuple[Row, int]]:
    """Pairs, and how many tokens their targets have; 0 of one that is blank."""
    for row in rows:
        yield row, len(tokens_of(row.answer, text.tokens)) if row.answer.strip() else 0


def _too_long(lengths: dict[str, int], text: Text, *, count: int, field: str) -> ConfigurationError:
    longest = max(lengths, key=lambda place: lengths[place])
    known = "targetLength" if text.target_length is not None else "sequenceLength"
    return ConfigurationError(
        f"{field}: {len(lengths)} of {count} targets have more than the {text.longest_target}"
        f" {text.tokens} of {known}, the longest {lengths[longest]} ({longest}); set"
        f" spec.recipe.text.targetLength to {lengths[longest]}, or onUnreadable to skip"
    )
