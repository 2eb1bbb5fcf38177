"""Which of several workers' ends is the cause, and what each amounts to.

Pure functions of outcomes.
"""

from collections.abc import Iterable, Sequence

from pydantic import ValidationError

from kubefit.api.contract import (
    EXIT_MEANINGS,
    AgentPhase,
    Cause,
    ExitCode,
    Failure,
    Outcome,
    WorkerStatus,
    signal_name,
)


def outcome_of(rank: int, returncode: int, text: str) -> Outcome:
    """What an agent wrote before it ended with `returncode`, or what that code alone says.

    A negative `returncode` is the number of the signal that killed the agent, as in `subprocess`.
    """
    try:
        return Outcome.model_validate_json(text)
    except ValidationError:
        code = ExitCode.SUCCESS if returncode == 0 else ExitCode.CRASHED
        return Outcome(
            rank=rank,
            exit_code=code,
            reason=EXIT_MEANINGS[code].reason,
            message=f"the agent of worker {rank} {_end(returncode)} without a word",
        )


def _end(returncode: int) -> str:
    if returncode >= 0:
        return f"exited with code {returncode}"
    return f"was killed by {signal_name(-returncode)}"


def first_cause(outcomes: Iterable[Outcome]) -> Outcome | None:
    """The earliest failure that is not merely the loss of a peer; None if no worker failed."""
    failed = [outcome for outcome in outcomes if outcome.exit_code != ExitCode.SUCCESS]
    if not failed:
        return None
    return min(failed, key=lambda o: (o.exit_code == ExitCode.PEER_LOST, o.ended, o.rank))


def cause_of(outcome: Outcome) -> Cause:
    """The cause, for `Result`."""
    return Cause(
        rank=outcome.rank,
        exit_code=outcome.exit_code,
        reason=outcome.reason,
        message=outcome.message,
        details=outcome.details,
    )


def chief_of(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The outcome of rank 0."""
    return next((outcome for outcome in outcomes if outcome.rank == 0), None)


def last_status(outcome: Outcome, *, workers: int, attempt: int) -> WorkerStatus:
    """What `/status` of an agent would say after its end."""
    failed = outcome.exit_code != ExitCode.SUCCESS
    return WorkerStatus(
        rank=outcome.rank,
        workers=workers,
        attempt=attempt,
        phase=AgentPhase.FAILED if failed else AgentPhase.SUCCEEDED,
        report=outcome.report,
        failure=Failure(
            exit_code=outcome.exit_code, message=outcome.message, details=outcome.details
        )
        if failed
        else None,
    )
