"""What an exception of the training program means to the job."""

import errno

import pytest
import tensorflow as tf

from kubefit.api.contract import ExitCode
from kubefit.api.v1alpha1 import Runtime
from kubefit_trainer import classify, runtimes
from kubefit_trainer.keras_multiworker.errors import DifferentProgramError, WorkerLostError


def test_an_error_while_a_function_was_traced_says_what_it_says():
    @tf.function
    def step(x):
        if tf.reduce_sum(x) > 0:
            raise PermissionError("deliberate\n\nand more")
        return x

    with pytest.raises(Exception, match="in user code") as raised:
        step(tf.ones(3))
    failure = classify.failure_of(raised.value, rank=0, workers=1, program=None, label="")
    assert failure is not None
    assert failure.message.startswith("PermissionError: deliberate (")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            tf.errors.UnknownError(
                None, None, "WorkerLostError: worker 0 has lost its connection to worker 1\n [node]"
            ),
            "worker 1 went away during training",
        ),
        (
            tf.errors.UnknownError(
                None, None, "WorkerLostError: worker 0 has lost contact with worker 2: no answer"
            ),
            "worker 2 went away during training",
        ),
        (
            tf.errors.UnavailableError(None, None, "Collective ops is aborted: Socket closed"),
            "another worker went away during training",
        ),
    ],
)
def test_a_lost_worker_is_no_fault_of_the_program(error: Exception, sentence: str):
    failure = classify.failure_of(error, rank=0, workers=3, program=None, label="")
    assert failure is not None
    assert failure.exit_code == ExitCode.PEER_LOST
    assert failure.message == sentence


def test_a_failure_of_the_program_that_reads_like_a_lost_worker_is_its_own():
    text = "OSError: Connection reset by peer\nTraceback (most recent call last):\n  File ..."
    error = tf.errors.UnknownError(None, None, text)
    failure = classify.failure_of(error, rank=0, workers=3, program=None, label="", explained={})
    assert failure is not None
    assert failure.exit_code == ExitCode.USER_ERROR
    assert "Connection reset by peer" in failure.message


def test_workers_that_exchange_different_gradients_are_told_so():
    sentence = "worker 1 is at its sum 3 of 9 numbers; all workers must run the same program"
    text = f"Graph execution error:\n\nDifferentProgramError: {sentence}\nTraceback (most recent"
    error = tf.errors.UnknownError(None, None, text)
    failure = classify.failure_of(error, rank=0, workers=2, program=None, label="", explained={})
    assert failure is not None
    assert failure.exit_code == ExitCode.USER_ERROR
    assert failure.message == sentence


def test_a_lost_worker_is_so_outside_of_a_graph_too():
    error = WorkerLostError("worker 0 has lost its connection to worker 1")
    explained = runtimes.load(Runtime.KERAS).explained
    failure = classify.failure_of(
        error, rank=0, workers=2, program=None, label="", explained=explained
    )
    assert failure is not None
    assert failure.exit_code == ExitCode.PEER_LOST


def test_alone_there_is_nobody_to_lose():
    error = tf.errors.UnknownError(None, None, f"{WorkerLostError.__name__}: worker 1")
    failure = classify.failure_of(error, rank=0, workers=1, program=None, label="")
    assert failure is not None
    assert failure.exit_code == ExitCode.USER_ERROR


def test_workers_out_of_step_are_a_fault_of_the_program():
    text = "Collective ops is aborted by: Collective instance 154 expected type 0 but got type 1"
    error = tf.errors.InternalError(None, None, text)
    failure = classify.failure_of(error, rank=0, workers=2, program=None, label="")
    assert failure is not None
    assert failure.exit_code == ExitCode.USER_ERROR
    assert failure.message.startswith("the workers were at different places of the program: every")


def test_an_error_that_a_runtime_explains_is_told_in_its_words():
    error = RuntimeError("worker 0 could not write model.keras: OSError: no space left on device")
    failure = classify.failure_of(
        error,
        rank=1,
        workers=2,
        program=None,
        label="",
        explained={RuntimeError: ExitCode.PEER_LOST},
    )
    assert failure is not None
    assert failure.exit_code == ExitCode.PEER_LOST
    assert failure.message == str(error)


def test_what_a_sentence_was_raised_in_place_of_is_not_the_cause():
    aborted = tf.errors.AbortedError(None, None, "Collective ops is aborted by: the watchdog")
    sentence = "worker 1 has ended without fit, which worker 0 waits in; call it on all workers"
    error = DifferentProgramError(sentence)
    error.__context__, error.__suppress_context__ = aborted, True
    explained = runtimes.load(Runtime.KERAS).explained
    failure = classify.failure_of(
        error, rank=0, workers=2, program=None, label="", explained=explained
    )
    assert failure is not None
    assert (failure.exit_code, failure.message) == (ExitCode.USER_ERROR, sentence)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "/mnt/kubefit/model.keras"),
        tf.errors.ResourceExhaustedError(None, None, "/mnt/kubefit/b; No space left on device"),
    ],
)
def test_a_full_disk_is_no_lack_of_memory_and_is_told_with_what_to_do(error: Exception):
    failure = classify.failure_of(error, rank=0, workers=1, program=None, label="")
    assert failure is not None
    assert failure.exit_code == ExitCode.CONFIGURATION_ERROR
    assert "/mnt/kubefit/" in failure.message
    assert "No space left on device" in failure.message
    assert "free space" in failure.message
