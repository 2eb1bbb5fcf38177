"""What transcripts that a network writes are worth: character and word error rate.

The rate is that of NIST's scoring of speech recognition: (substitutions + deletions + insertions) /
(characters or words that were said), over all transcripts together, so that it may exceed 1. The
fewest such changes are the edit distance (Levenshtein, 1966), found as by Wagner and Fischer
(1974).
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLANK = 0
"""Place of the class that writes nothing."""


def best_path(frames: Sequence[int], classes: Sequence[str]) -> str:
    """The text of the likeliest class of each frame: equal neighbours are one, blanks nothing.

    Best path decoding of Graves et al., 2006: the likeliest path, which need not be the likeliest
    text, as several paths may write the same.
    """
    return "".join(classes[place] for place, _ in groupby(frames) if place != BLANK)


def distance(one: Sequence[Any], other: Sequence[Any]) -> int:
    """Fewest substitutions, deletions and insertions that make one of the other."""
    before = list(range(len(other) + 1))
    for row, mine in enumerate(one, start=1):
        now = [row]
        for column, theirs in enumerate(other, start=1):
            changed = before[column - 1] + (mine != theirs)
            now.append(min(changed, before[column] + 1, now[-1] + 1))
        before = now
    return before[-1]


def error_rate(said: Sequence[Sequence[Any]], heard: Sequence[Sequence[Any]]) -> float | None:
    """Changes for each item that was said; None if nothing was."""
    items = sum(map(len, said))
    changes = sum(distance(one, other) for one, other in zip(said, heard, strict=True))
    return changes / items if items else None


def findings(said: Sequence[str], heard: Sequence[str]) -> dict[str, Any]:
    """Fields of the `Evaluation` for transcripts; words are what is between spaces."""
    words = ([text.split() for text in texts] for texts in (said, heard))
    same = sum(one == other for one, other in zip(said, heard, strict=True))
    return {
        "metrics": {
            "characterErrorRate": error_rate(said, heard),
            "wordErrorRate": error_rate(*words),
            "exactMatch": same / len(said) if said else None,
        }
    }


def worst(
    said: Sequence[str], heard: Sequence[str], *, count: int
) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    """The transcripts with the highest character error rate, of those with any, and how high."""
    rates = np.array(
        [distance(one, other) / max(1, len(one)) for one, other in zip(said, heard, strict=True)]
    )
    wrong = np.flatnonzero(rates)
    order = wrong[np.argsort(-rates[wrong], kind="stable")][:count]
    return order, rates[order]
