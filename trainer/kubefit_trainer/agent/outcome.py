"""The last words of an agent, made to fit a termination message."""

from pathlib import Path

from kubefit.api.contract import (
    EXIT_MEANINGS,
    TERMINATION_MESSAGE_LIMIT,
    ExitCode,
    Failure,
    Outcome,
    TrainerReport,
)

_DETAILS = (1500, 500, 0)
_MESSAGE = 1000


def outcome_of(
    rank: int,
    *,
    failure: Failure | None,
    ended: float,
    report: TrainerReport | None,
    reason: str = "",
) -> Outcome:
    """What became of this worker; `reason` is one that says more than the exit code."""
    code = ExitCode(failure.exit_code) if failure else ExitCode.SUCCESS
    return Outcome(
        rank=rank,
        exit_code=code,
        reason=reason or EXIT_MEANINGS[code].reason,
        message=failure.message if failure else EXIT_MEANINGS[code].text,
        details=failure.details if failure else "",
        ended=ended,
        report=report,
    )


def fit(outcome: Outcome, limit: int = TERMINATION_MESSAGE_LIMIT) -> bytes:
    """JSON of at most `limit` bytes: what tells least is left out first, the message last."""
    for shrunk in _shrunk(outcome):
        data = shrunk.model_dump_json(by_alias=True, exclude_defaults=True).encode()
        if len(data) <= limit:
            return data
    short = outcome.model_copy(
        update={"message": _cut(outcome.message, limit // 8), "details": "", "report": None}
    )
    return short.model_dump_json(by_alias=True, exclude_defaults=True).encode()


def _shrunk(outcome: Outcome) -> list[Outcome]:
    """The outcome, and ever shorter versions of it; the end of the details says most."""
    report = outcome.report
    reports = [report]
    if report is not None:
        plain = TrainerReport.model_validate(
            {**report.model_dump(), "step_seconds": {"sum": report.step_seconds.sum}}
        )
        evaluated = plain.model_copy(update={"metrics": {}})
        reports += [plain, evaluated, evaluated.model_copy(update={"warnings": []}), None]
    message = _cut(outcome.message, _MESSAGE)
    return [outcome] + [
        outcome.model_copy(
            update={"message": message, "details": outcome.details[-size or None :], "report": told}
            if size
            else {"message": message, "details": "", "report": told}
        )
        for told in reports
        for size in _DETAILS
    ]


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def write(file: Path, outcome: Outcome) -> None:
    """Writes the outcome; the file may be a mounted one that cannot be replaced."""
    file.write_bytes(fit(outcome))
