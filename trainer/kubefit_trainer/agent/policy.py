"""Whether another attempt follows a failure: pure functions of what happened so far."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kubefit.api.base import Model
from kubefit.api.contract import (
    Cause,
    ExitCode,
    Failure,
    Spent,
    is_permanent,
    is_secondary,
    meaning_of,
)

_FIRST_DELAY_SECONDS = 1.0
_LONGEST_DELAY_SECONDS = 30.0


class Attempt(Model):
    """One generation of trainers, as `attempts.json` has it."""

    number: int
    size: int
    """Workers."""
    run: str = ""
    job: str = ""
    """uid of the Job whose pods it ran in; empty where there is none."""
    awaited: float | None = None
    """Unix time in seconds from which its workers were waited for."""
    began: float
    """Unix time in seconds."""
    ended: float | None = None
    left: float | None = None
    """When worker 0 was told to stop after its end, before there was another attempt."""
    first_step: int = 0
    """Step that it went on from."""
    last_step: int = 0
    cause: Cause | None = None
    """Why it ended; None if all went well."""
    charged: bool = False
    spent: Spent | None = None
    """What the time of worker 0's trainer went into; None if it made no step."""

    def resumed_by(self, job: str) -> bool:
        """Whether the job was suspended between this attempt and pods of that Job."""
        return bool(self.job and job) and self.job != job


class History(Model):
    """What `attempts.json` holds."""

    attempts: list[Attempt] = []


@dataclass(frozen=True, slots=True)
class Failed:
    """A failure of one member."""

    rank: int
    failure: Failure
    ended: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows."""

    restart: bool
    delay_seconds: float = 0.0
    cause: Cause | None = None
    """Of the end of the job, if no attempt follows."""


def first_cause(failures: Iterable[Failed], *, attempt: int) -> Cause | None:
    """The earliest failure that does not follow from another one."""
    ordered = sorted(
        failures,
        key=lambda f: (
            f.failure.exit_code == ExitCode.PEER_LOST,
            is_secondary(f.failure.exit_code),
            f.ended,
            f.rank,
        ),
    )
    if not ordered:
        return None
    first = ordered[0]
    meaning = meaning_of(first.failure.exit_code)
    return Cause(
        rank=first.rank,
        exit_code=first.failure.exit_code,
        reason=meaning.reason if meaning else "Error",
        message=first.failure.message,
        details=first.failure.details,
        attempt=attempt,
        time=first.ended,
    )


def is_charged(cause: Cause) -> bool:
    """Whether a restart for that cause counts against `spec.runPolicy.maxRestarts`."""
    meaning = meaning_of(cause.exit_code)
    return meaning is None or meaning.charged


def verdict(
    attempts: Sequence[Attempt], *, now: float, max_restarts: int, window_seconds: float
) -> Verdict:
    """Whether another attempt follows the last of these, which has ended with a cause."""
    cause = attempts[-1].cause
    if cause is None:
        raise ValueError("the last attempt has not failed")
    if is_permanent(cause.exit_code):
        return Verdict(restart=False, cause=cause)
    charged = charged_within(attempts, now=now, window_seconds=window_seconds)
    if is_charged(cause) and charged > max_restarts:
        return Verdict(restart=False, cause=_exhausted(cause, charged, window_seconds))
    stuck = _without_progress(attempts)
    delay = 0.0 if stuck <= 1 else _FIRST_DELAY_SECONDS * 2.0 ** (stuck - 2)
    return Verdict(restart=True, delay_seconds=min(_LONGEST_DELAY_SECONDS, delay))


def charged_within(attempts: Sequence[Attempt], *, now: float, window_seconds: float) -> int:
    """Restarts that count at this time against `spec.runPolicy.maxRestarts`."""
    return sum(a.charged and now - (a.ended or now) <= window_seconds for a in attempts)


def _exhausted(cause: Cause, count: int, window_seconds: float) -> Cause:
    if count == 1:
        return cause
    message = (
        f"{cause.message}; that was failure {count} within {window_seconds:g} s, more than"
        " spec.runPolicy.maxRestarts allows"
    )
    return cause.model_copy(update={"message": message})


def _without_progress(attempts: Sequence[Attempt]) -> int:
    """Failures at the end of the list during which no new step was done.

    Those that are free count too: one that always comes again is waited for, not hurried.
    """
    count = 0
    for index in range(len(attempts) - 1, -1, -1):
        before = max((a.last_step for a in attempts[:index]), default=0)
        if attempts[index].last_step > before:
            # The one that made progress is the first of a new row.
            return count + 1
        count += 1
    return count


def exit_code_of(cause: Cause) -> int:
    """How agents end that give up for that cause: the pods are not to be made anew."""
    return cause.exit_code if is_permanent(cause.exit_code) else ExitCode.RESTARTS_EXHAUSTED


def given_up(rank: int, cause: Cause | None, *, own: Failure | None) -> Failure:
    """How a worker ends where the job has failed for that cause; `own` is its trainer's end."""
    if cause is None or cause.rank == rank:
        message = cause.message if cause else "the job has failed"
        code = exit_code_of(cause) if cause else ExitCode.CRASHED
        return Failure(exit_code=code, message=message, details=cause.details if cause else "")
    if own is not None and own.exit_code == ExitCode.PEER_LOST:
        return own
    return Failure(
        exit_code=ExitCode.PEER_LOST, message=f"worker {cause.rank} failed: {cause.message}"
    )
