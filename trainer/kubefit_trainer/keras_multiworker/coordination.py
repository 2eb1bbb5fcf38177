"""What workers tell each other outside of training steps.

Small facts go over the key-value store of TensorFlow's coordination service, which needs nobody
else to be at the same place; sums, which do, are in `sums`.
"""

from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context as tf_context

from kubefit_trainer.keras_multiworker import cluster
from kubefit_trainer.keras_multiworker.errors import WorkerLostError


def alone() -> bool:
    """Whether this process has no peers to talk to."""
    return cluster.current() is None or cluster.member().workers == 1


def publish(key: str, value: str) -> bool:
    """Sets a key once for all workers; False if somebody was first."""
    try:
        tf_context.context().set_config_key_value(_prefix + key, value)
    except tf.errors.AlreadyExistsError:
        return False
    return True


def read(key: str, timeout_seconds: float) -> str | None:
    """Waits for a key; None if it did not appear in time."""
    try:
        return str(
            tf_context.context().get_config_key_value(_prefix + key, int(timeout_seconds * 1000))
        )
    except (tf.errors.DeadlineExceededError, tf.errors.NotFoundError):
        return None


def check() -> None:
    """Asks whether all workers are alive; another than the chief asks for the chief alone.

    Raises:
        WorkerLostError: one is not, or the chief does not answer.

    """
    member = cluster.member()
    lost = _lost_workers() if member.chief else _silent_chief()
    for rank, reason in lost:
        raise WorkerLostError(f"worker {member.rank} has lost contact with worker {rank}: {reason}")


def _lost_workers() -> Iterator[tuple[int, Any]]:
    # This call keeps Python's lock: on another worker, a frozen chief would freeze it too.
    for rank, error in enumerate(tf_context.context().get_task_states(cluster.jobs())):
        if error is not None:
            yield rank, error


def _silent_chief() -> Iterator[tuple[int, Any]]:
    try:
        answer = read(ALIVE, _ANSWER_SECONDS)
    except tf.errors.OpError as error:
        yield 0, error
        return
    if answer is None:
        yield 0, f"no answer for {_ANSWER_SECONDS:.0f} s"


def look(key: str) -> str | None:
    """The value of a key if it is there already; the answer must come in a moment."""
    return read(key, _LOOK_SECONDS)


def withdraw(key: str) -> None:
    """Takes a key back, so that it can be published again."""
    tf_context.context().delete_config_key_value(_prefix + key)


def barrier(name: str, timeout_seconds: float) -> None:
    """Waits until every worker is here.

    Raises:
        tf.errors.DeadlineExceededError: not all came in time.
        tf.errors.OpError: a worker has died.

    """
    if not alone():
        tf_context.context().wait_at_barrier(_prefix + name, int(timeout_seconds * 1000))


_prefix = "keras_multiworker/"
_ANSWER_SECONDS = 5.0
ALIVE = "alive"
"""Key that the chief publishes; reading it is a question that a chief who is alive answers."""
_LOOK_SECONDS = 0.2
