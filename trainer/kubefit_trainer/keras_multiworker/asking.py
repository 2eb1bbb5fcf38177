"""Requests that any worker makes and all hear of after the same step.

They travel with the collective that every step of training or evaluation has anyway, and with that
of the end of an epoch. A request is made by setting its flag;
`heard` after a step tells which were set on some worker before it.
"""

from enum import IntEnum


class Request(IntEnum):
    """What a worker may ask all for; the place of its flag in the collective."""

    SNAPSHOT = 0
    """To keep the state of training after the next step."""
    STOP = 1
    """The same, and to end the process thereafter."""


_made = [0.0] * len(Request)
_heard: set[Request] = set()


def make(request: Request) -> None:
    """Asks all workers; safe in a signal handler."""
    _made[request] = 1.0


def made(request: Request) -> bool:
    """Whether this worker has asked and nobody has heard of it yet."""
    return _made[request] > 0


def flags() -> list[float]:
    """What this worker says in the collective of a step."""
    return list(_made)


def hear(sums: list[float]) -> None:
    """Takes the sums of all workers' flags after a step."""
    for request, total in zip(Request, sums, strict=True):
        if total > 0:
            _heard.add(request)
            _made[request] = 0.0


def is_heard(request: Request) -> bool:
    """Whether all workers have heard of a request that nobody has taken from `heard` yet."""
    return request in _heard


def heard() -> set[Request]:
    """Requests that all workers have heard of since the last call."""
    found = set(_heard)
    _heard.clear()
    return found
