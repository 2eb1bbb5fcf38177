"""What the end of a trainer means."""

import signal

import pytest

from kubefit.api.contract import ExitCode, Failure
from kubefit_trainer.agent.ending import End, failure_of

SAID = Failure(exit_code=ExitCode.USER_ERROR, message="ValueError: no (train.py:3)")
PEER = (
    "E0000 base_collective_executor.cc:252] StartAbort UNAVAILABLE: Failed to send RPC to"
    " coordination service. Either the leader task was preempted/died"
)


def test_exit_code_zero_is_success_even_after_a_request_to_stop():
    assert failure_of(End(returncode=0)) is None
    assert failure_of(End(returncode=0, told_to_stop=True)) is None


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (End(returncode=-signal.SIGTERM, told_to_stop=True), ExitCode.PREEMPTED),
        (End(returncode=10, failure=SAID), ExitCode.USER_ERROR),
        (End(returncode=-signal.SIGKILL, oom_kills=1), ExitCode.OUT_OF_MEMORY),
        (End(returncode=-signal.SIGKILL), ExitCode.CRASHED),
        (End(returncode=-signal.SIGSEGV, oom_kills=1), ExitCode.CRASHED),
        (End(returncode=-signal.SIGABRT, output=(PEER,), workers=2), ExitCode.PEER_LOST),
        (End(returncode=-signal.SIGABRT, output=(PEER,), workers=1), ExitCode.CRASHED),
        (End(returncode=3), ExitCode.USER_ERROR),
    ],
)
def test_each_end_has_its_exit_code(end: End, code: ExitCode):
    failure = failure_of(end)
    assert failure is not None
    assert failure.exit_code == code


def test_what_the_trainer_wrote_is_passed_on():
    assert failure_of(End(returncode=10, failure=SAID)) == SAID


def test_an_unexplained_exit_shows_the_last_line_of_output():
    failure = failure_of(End(returncode=3, output=("one", "it broke", "  ")))
    assert failure is not None
    assert failure.message == "the program ended with exit code 3: it broke"


def test_memory_that_was_used_up_is_told_with_limit_and_peak():
    end = End(returncode=-signal.SIGKILL, oom_kills=1, memory_limit=2 << 30, memory_peak=2147 << 20)
    failure = failure_of(end)
    assert failure is not None
    assert failure.message == (
        "the training process was killed because the worker's memory was used up (limit 2048 MiB,"
        " peak 2147 MiB); raise spec.resources.limits.memory or lower the batch size"
    )


def test_a_signal_is_named():
    failure = failure_of(End(returncode=-signal.SIGSEGV))
    assert failure is not None
    assert failure.message == "the training process was killed by SIGSEGV"
