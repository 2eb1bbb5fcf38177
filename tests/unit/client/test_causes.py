"""Which end of several is the cause."""

import itertools

from kubefit.api.contract import EXIT_MEANINGS, ExitCode, Outcome, is_permanent
from kubefit.client.causes import first_cause, outcome_of


def outcome(rank: int, code: ExitCode, ended: float) -> Outcome:
    return Outcome(
        rank=rank,
        exit_code=code,
        reason=EXIT_MEANINGS[code].reason,
        message=f"worker {rank}",
        ended=ended,
    )


def test_success_of_all_has_no_cause():
    assert first_cause([outcome(0, ExitCode.SUCCESS, 1), outcome(1, ExitCode.SUCCESS, 2)]) is None


def test_the_loss_of_a_peer_never_hides_the_cause():
    ends = [
        outcome(0, ExitCode.PEER_LOST, 1.0),
        outcome(1, ExitCode.USER_ERROR, 3.0),
        outcome(2, ExitCode.CRASHED, 2.0),
        outcome(3, ExitCode.SUCCESS, 0.5),
    ]
    for order in itertools.permutations(ends):
        cause = first_cause(order)
        assert cause is not None
        assert cause.rank == 2


def test_without_another_cause_the_first_loss_is_told():
    cause = first_cause([outcome(0, ExitCode.PEER_LOST, 2.0), outcome(1, ExitCode.PEER_LOST, 1.0)])
    assert cause is not None
    assert cause.rank == 1


def test_an_agent_that_died_without_a_word_has_crashed():
    assert (
        outcome_of(1, -9, "").message
        == "the agent of worker 1 was killed by SIGKILL without a word"
    )
    assert outcome_of(1, -9, "{").exit_code == ExitCode.CRASHED


def test_errors_of_the_program_are_permanent_and_crashes_are_not():
    assert is_permanent(ExitCode.USER_ERROR)
    assert is_permanent(ExitCode.CONFIGURATION_ERROR)
    assert not is_permanent(ExitCode.CRASHED)
    assert not is_permanent(ExitCode.PEER_LOST)
    assert not is_permanent(137)
