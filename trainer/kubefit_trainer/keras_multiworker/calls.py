"""Calls that all workers must come to, and which two of them can never meet; pure.

Every worker counts the calls that it comes to. Programs that are the same come to the same calls in
the same order, so that two workers that wait under one number in different calls wait for ever.
"""

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call in which this worker waits for the others."""

    number: int
    """How many calls of all workers came before it."""
    what: str
    """In words, the same on all workers, as in "worker 1 is at ..."."""
    detail: str = ""
    """What may differ between workers: the name of a variable."""
    counted: bool = True
    """Whether it is a call of all workers, which none leaves before all have come."""

    @property
    def text(self) -> str:
        """The call in full."""
        return f"{self.what} {self.detail}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The end of a worker's program."""

    number: int
    """How many calls of all workers it came to."""


def packed(state: Call | End) -> str:
    """As one worker tells it to the others."""
    if isinstance(state, End):
        return json.dumps({"ended": state.number})
    return json.dumps({"number": state.number, "what": state.what, "detail": state.detail})


def unpacked(text: str) -> Call | End:
    """What another worker has told."""
    told = json.loads(text)
    return End(number=told["ended"]) if "ended" in told else Call(**told)


def contradiction(mine: Call, me: int, theirs: Call | End | None, them: int) -> str:
    """Why these two workers can never meet, or an empty text if they can.

    `theirs` is what worker `them` waits in, None if that is not known. Nothing is said of a worker
    that is merely behind.
    """
    if isinstance(theirs, End):
        if mine.counted and theirs.number <= mine.number:
            return (
                f"worker {them} has ended without {mine.text}, which worker {me} waits in; "
                "call it on all workers"
            )
    elif theirs is not None and theirs.number == mine.number and theirs.what != mine.what:
        places = sorted([(me, mine.text), (them, theirs.text)], reverse=True)
        return (
            " while ".join(f"worker {rank} is at {text}" for rank, text in places)
            + "; call what all workers take part in on all of them, in the same order (make the "
            "variables of one worker alone in outside_strategy())"
        )
    return ""
