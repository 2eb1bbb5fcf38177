"""Last words that fit a termination message."""

import pytest

from kubefit.api.contract import (
    TERMINATION_MESSAGE_LIMIT,
    ExitCode,
    Failure,
    Outcome,
    StepSeconds,
    TrainerPhase,
    TrainerReport,
)
from kubefit_trainer.agent import outcome

REPORT = TrainerReport(
    phase=TrainerPhase.TRAINING,
    step=7,
    loss=0.5,
    metrics={f"metric_{i}": i / 3 for i in range(20)},
    evaluation={"accuracy": 0.9},
    step_seconds=StepSeconds(sum=3.0, counts=[0] * 14),
    updated=1.0,
)


def told(message: str, details: str, report: TrainerReport | None = REPORT) -> Outcome:
    failure = Failure(exit_code=ExitCode.USER_ERROR, message=message, details=details)
    return outcome.outcome_of(1, failure=failure, ended=5.0, report=report)


def test_a_short_outcome_is_told_whole():
    given = told("ValueError: no", "line 1\nline 2")
    assert Outcome.model_validate_json(outcome.fit(given)) == given


@pytest.mark.parametrize("message", ["short", "x" * 5000, "ü" * 5000, '"\\\n' * 3000])
@pytest.mark.parametrize("details", ["", "y" * 100_000, "\x00" * 50_000])
def test_no_outcome_is_longer_than_kubernetes_keeps(message: str, details: str):
    many = REPORT.model_copy(update={"metrics": {f"m{i}": 1 / 3 for i in range(2000)}})
    data = outcome.fit(told(message, details, many))
    assert len(data) <= TERMINATION_MESSAGE_LIMIT
    kept = Outcome.model_validate_json(data)
    assert (kept.rank, kept.exit_code, kept.reason) == (1, ExitCode.USER_ERROR, "UserError")
    assert kept.message[:5] == message[:5]


def test_the_end_of_the_details_is_what_stays():
    kept = Outcome.model_validate_json(outcome.fit(told("no", "a" * 10_000 + "the cause")))
    assert kept.details.endswith("the cause")


def test_success_has_the_evaluation():
    last = outcome.outcome_of(0, failure=None, ended=5.0, report=REPORT)
    kept = Outcome.model_validate_json(outcome.fit(last))
    assert kept.exit_code == 0
    assert kept.report is not None
    assert kept.report.evaluation == {"accuracy": 0.9}


def test_the_evaluation_outlasts_warnings_and_metrics():
    told = REPORT.model_copy(update={"warnings": ["w" * 1000] * 8})
    last = outcome.outcome_of(0, failure=None, ended=5.0, report=told)
    kept = Outcome.model_validate_json(outcome.fit(last))
    assert kept.report is not None
    assert kept.report.evaluation == {"accuracy": 0.9}
