"""What a check of a cluster came to."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How good it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"
    """Whoever asks is not allowed to look."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, what was seen, and what to do."""

    level: Level
    check: str
    message: str


def ok(check: str, message: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, check, message)


def warn(check: str, message: str) -> Finding:
    """Some jobs, or some commands, will not work."""
    return Finding(Level.WARN, check, message)


def fail(check: str, message: str) -> Finding:
    """No job will work."""
    return Finding(Level.FAIL, check, message)


def unknown(check: str, message: str) -> Finding:
    """It could not be seen."""
    return Finding(Level.UNKNOWN, check, f"not allowed to look: {message}")
