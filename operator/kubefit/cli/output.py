"""The workers' own output on the screen of a local run."""

import re
from enum import StrEnum

_CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b-\x1f]")
_PROGRESS_BAR = re.compile(r"\s*\d+/(\d+|Unknown)\s.*(━|step)")
"""Keras' own, redrawn at every step; KubeFit draws one for all workers."""


class Show(StrEnum):
    """Whose output is shown."""

    NONE = "none"
    CHIEF = "chief"
    ALL = "all"


def prefixed(rank: int, line: str) -> str:
    """`worker-0 | line`."""
    return f"worker-{rank} | {line}"


def shown(rank: int, line: str, *, show: Show) -> str | None:
    """How the line is shown, if it is."""
    if line.startswith("kubefit: "):
        return prefixed(rank, line)
    if show is Show.NONE or (show is Show.CHIEF and rank != 0):
        return None
    text = _CONTROL.sub("", line)
    if not text.strip() or _PROGRESS_BAR.match(text):
        return None
    return prefixed(rank, text) if show is Show.ALL else text
