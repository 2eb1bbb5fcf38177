"""Where in its data a training is, and where it is to begin: for those who interrupt it.

`follow` gives one call of fit a `Follower`; its training data then tell it of every step, and begin
where it says. Programs that build the pipeline of each worker themselves ask `first_step()`.
"""

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place in the training data of one call of fit, counted since it began."""

    passes: int = 0
    """How often the data were begun anew before."""
    drawn: int = 0
    """Steps drawn of the pass under way."""
    step: int = 0
    """Steps done in the epoch under way."""
    over: bool = False
    """Whether these are all of its steps: the data of the next epoch begin here."""


class Follower(Protocol):
    """Somebody who follows one call of fit."""

    def passed(self) -> int:
        """Passes over these data that this call of fit has done before and does not do again."""

    def begins(self) -> Position | None:
        """Where the epoch is to begin that is about to, if it is not where the last one ended."""

    def begun(self) -> None:
        """Called when the data are where `begins` has said; maybe more than once."""

    def between_steps(self, position: Position) -> None:
        """Called between two steps of an epoch, after the callbacks of the first."""

    def after_epoch(self, position: Position) -> None:
        """Called when the steps of an epoch are done: where the next one will begin."""

    def skips(self, steps: int) -> None:
        """The data are drawn and thrown away up to their place; their order may be another."""


_follower: Follower | None = None
_first = 0
_asked = False


def follow(follower: Follower | None) -> None:
    """The next data that a call of fit trains on tell this follower; None takes it back."""
    global _follower
    _follower = follower


def claimed() -> Follower | None:
    """The follower of the data that are being made; the next ones have none."""
    global _follower
    found, _follower = _follower, None
    return found


def first_step() -> int:
    """Steps to leave out at the beginning of the pipeline that is being built.

    For the function of `distribute_datasets_from_function`: one that asks begins there itself, with
    the batch of that step; of one that does not so many batches are drawn and thrown away.
    """
    global _asked
    _asked = True
    return _first


def build_from(step: int, build: Any, *args: Any) -> tuple[Any, bool]:
    """What `build(*args)` gives, and whether it has asked for `first_step()`."""
    global _first, _asked
    _first, _asked = step, False
    try:
        return build(*args), _asked
    finally:
        _first = 0
