"""What the wall time of a job went into, over all its attempts: pure functions of `attempts.json`.

The clock of a job runs from when worker 0 first waits for the others, and stands still while the
job is suspended. Within an attempt its trainer counts, from its first step on; the rest of the time
is that of starts and restarts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from kubefit.api.contract import Spent
from kubefit_trainer.agent.policy import Attempt


class Lost(StrEnum):
    """Why time was not productive."""

    STARTUP = "startup"
    """Meeting, imports, compilation: until the first step of a job, new or resumed."""
    DATA = "data"
    CHECKPOINT = "checkpoint"
    RESTART = "restart"
    """From the last word of an attempt that failed to the first step of the next one."""
    LOST_WORK = "lost_work"
    """Steps that were done again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodput:
    """Seconds; together the time for which the job was not suspended, as far as it is told."""

    productive: float
    lost: dict[Lost, float]

    @property
    def wall(self) -> float:
        """All of it."""
        return self.productive + sum(self.lost.values())


def goodput(attempts: Sequence[Attempt], *, now: float) -> Goodput:
    """What the time of a run went into until `now`, in Unix seconds.

    A start that is under way does not count yet, and no step either: it may come to nothing. So no
    sum ever shrinks.

    Args:
        attempts: Those of one run in order; the last one may be under way.
        now: The time, while the run is not over.

    """
    productive, lost = 0.0, dict.fromkeys(Lost, 0.0)
    at, before = now, None
    for attempt in attempts:
        starts = before is None or before.resumed_by(attempt.job)
        if starts:
            begins = attempt.began if attempt.awaited is None else attempt.awaited
            at = begins if before is None else max(at, begins)
        spent = attempt.spent or Spent(until=attempt.ended or attempt.began)
        lost[Lost.STARTUP if starts else Lost.RESTART] += max(0.0, spent.until - at - spent.total)
        productive += spent.productive
        lost[Lost.DATA] += spent.data
        lost[Lost.CHECKPOINT] += spent.checkpoint
        lost[Lost.LOST_WORK] += spent.lost_work
        at = max(at + spent.total, spent.until)
        if attempt.ended is not None and attempt.cause is None:
            # The others end their work.
            productive += max(0.0, attempt.ended - at)
        elif attempt.ended is not None:
            lost[Lost.RESTART] += max(0.0, max(attempt.ended, attempt.left or 0.0) - at)
        at = max(at, attempt.ended or at, attempt.left or at)
        before = attempt
    if before is not None and before.cause is not None and before.left is None:
        lost[Lost.RESTART] += max(0.0, now - at)
    return Goodput(productive=productive, lost=lost)
