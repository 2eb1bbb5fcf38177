"""What workers tell each other outside of training steps.

Small facts go over the key-value store of TensorFlow's coordination service, which needs nobody
else to be at the same place; sums go over a collective, which does.
"""

from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context as tf_context

from kubefit_trainer.keras_multiworker import cluster
from kubefit_trainer.keras_multiworker.errors import WorkerLostError
from kubefit_trainer.keras_multiworker.step import all_sum


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


def sum_over_workers(values: list[float]) -> list[float]:
    """Sums numbers over all workers; all must call it, in the same order."""
    if alone():
        return values
    strategy = cluster.strategy()
    local = len(strategy.extended.worker_devices)
    total = _collective_sum(strategy)(tf.constant(values, tf.float32))
    return [float(number) / local for number in total.numpy()]


_functions: dict[int, Any] = {}


def _collective_sum(strategy: Any) -> Any:
    if id(strategy) not in _functions:

        def summed(values: Any) -> Any:
            def replica(values: Any) -> Any:
                return all_sum([values])[0]

            result = strategy.run(replica, args=(values,))
            return strategy.experimental_local_results(result)[0]

        _functions[id(strategy)] = tf.function(summed, reduce_retracing=True, autograph=False)
    return _functions[id(strategy)]


def any_worker(flag: bool) -> bool:
    """Whether the flag is set on any worker; all must call it."""
    return sum_over_workers([float(flag)])[0] > 0


def max_over_workers(value: int) -> int:
    """Largest of the workers' values; all must call it. Exact up to 2**24."""
    if alone():
        return value
    member = cluster.member()
    mine = [float(value) if rank == member.rank else 0.0 for rank in range(member.workers)]
    return int(max(sum_over_workers(mine)))
