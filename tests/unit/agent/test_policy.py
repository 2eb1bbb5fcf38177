"""Which failure is the first cause, and whether another attempt follows it."""

import pytest

from kubefit.api.contract import Cause, ExitCode, Failure
from kubefit_trainer.agent import policy
from kubefit_trainer.agent.policy import Attempt, Failed, Verdict


def failed(rank: int, code: int, ended: float) -> Failed:
    return Failed(rank, Failure(exit_code=code, message=f"worker {rank} ended"), ended)


def attempt(number: int, code: int, *, step: int = 0, ended: float = 0.0) -> Attempt:
    cause = Cause(rank=1, exit_code=code, reason="", message="killed", time=ended)
    return Attempt(
        number=number,
        size=2,
        began=ended,
        ended=ended,
        last_step=step,
        cause=cause,
        charged=policy.is_charged(cause),
    )


def decide(*attempts: Attempt, max_restarts: int = 3, now: float = 0.0) -> Verdict:
    return policy.verdict(attempts, now=now, max_restarts=max_restarts, window_seconds=100.0)


def test_the_earliest_failure_is_the_cause():
    cause = policy.first_cause(
        [failed(0, ExitCode.CRASHED, 5.0), failed(1, ExitCode.USER_ERROR, 4.0)], attempt=7
    )
    assert cause is not None
    assert (cause.rank, cause.attempt, cause.time) == (1, 7, 4.0)


@pytest.mark.parametrize("secondary", [ExitCode.PEER_LOST, ExitCode.PREEMPTED])
def test_a_failure_that_follows_from_another_is_not_the_cause(secondary: ExitCode):
    cause = policy.first_cause(
        [failed(0, secondary, 1.0), failed(1, ExitCode.CRASHED, 9.0)], attempt=1
    )
    assert cause is not None
    assert cause.reason == "Crashed"


def test_a_worker_that_was_told_to_stop_explains_the_loss_of_its_peer():
    cause = policy.first_cause(
        [failed(0, ExitCode.PEER_LOST, 1.0), failed(1, ExitCode.PREEMPTED, 9.0)], attempt=1
    )
    assert cause is not None
    assert cause.rank == 1


def test_without_a_failure_there_is_no_cause():
    assert policy.first_cause([], attempt=1) is None


@pytest.mark.parametrize("code", [ExitCode.USER_ERROR, ExitCode.CONFIGURATION_ERROR])
def test_what_would_fail_again_ends_the_job(code: ExitCode):
    verdict = decide(attempt(1, code))
    assert not verdict.restart
    assert verdict.cause is not None
    assert policy.exit_code_of(verdict.cause) == code


@pytest.mark.parametrize("code", [ExitCode.PREEMPTED, ExitCode.PEER_LOST])
def test_a_restart_that_is_nobodys_fault_is_free(code: ExitCode):
    assert decide(*(attempt(n, code) for n in range(1, 9)), max_restarts=0).restart


def test_the_budget_is_used_up_by_one_failure_more_than_restarts_are_allowed():
    attempts = [attempt(n, ExitCode.CRASHED, step=n) for n in range(1, 5)]
    assert decide(*attempts[:3]).restart
    verdict = decide(*attempts)
    assert not verdict.restart
    assert verdict.cause is not None
    assert verdict.cause.message == (
        "killed; that was failure 4 within 100 s, more than spec.runPolicy.maxRestarts allows"
    )
    assert policy.exit_code_of(verdict.cause) == ExitCode.RESTARTS_EXHAUSTED


def test_failures_before_the_window_are_forgotten():
    attempts = [attempt(n, ExitCode.CRASHED, ended=float(n)) for n in range(1, 4)]
    last = attempt(4, ExitCode.CRASHED, ended=200.0)
    assert decide(*attempts, last, now=200.0).restart


def test_a_job_without_restarts_ends_with_the_sentence_of_its_failure():
    verdict = decide(attempt(1, ExitCode.CRASHED), max_restarts=0)
    assert verdict.cause is not None
    assert verdict.cause.message == "killed"


@pytest.mark.parametrize("code", [ExitCode.CRASHED, ExitCode.PEER_LOST])
def test_the_delay_grows_only_while_there_is_no_progress(code: ExitCode):
    stuck = [attempt(n, code, step=5) for n in range(1, 5)]
    delays = [decide(*stuck[:n], max_restarts=9).delay_seconds for n in range(1, 5)]
    assert delays == [0.0, 1.0, 2.0, 4.0]
    further = attempt(5, code, step=6)
    assert decide(*stuck, further, max_restarts=9).delay_seconds == 0.0


def test_the_delay_has_an_end():
    stuck = [attempt(n, ExitCode.CRASHED) for n in range(1, 50)]
    assert decide(*stuck, max_restarts=99).delay_seconds == 30.0


def test_a_code_of_nobody_is_charged():
    assert decide(attempt(1, 77)).restart
    assert not decide(attempt(1, 77), max_restarts=0).restart
