"""One process among the workers: the one strategy, words to the others, the end in common."""

import functools
import threading
from typing import Any

import tensorflow as tf
from tensorflow.python.distribute import collective_all_reduce_strategy, mirrored_strategy
from tensorflow.python.eager import context

_MULTI_WORKER = collective_all_reduce_strategy.CollectiveAllReduceStrategy
_MIRRORED = mirrored_strategy.MirroredStrategy
_LINGER_SECONDS = 10.0
_PREFIX = "tf_keras_multiworker/"

_strategy: Any = None


def meet() -> Any:
    """Makes the strategy of TF_CONFIG, which waits for the peers; from then on there is no other.

    A program that makes a MultiWorkerMirroredStrategy or, on several workers, a MirroredStrategy
    gets this one: TensorFlow cannot make a second one that takes part in the cluster.
    """
    global _strategy
    if _strategy is None:
        _strategy = tf.distribute.MultiWorkerMirroredStrategy()
        _keep_the_only_one()
    return _strategy


def _keep_the_only_one() -> None:
    def the_only_one(cls: Any, *args: Any, **kwargs: Any) -> Any:
        return _strategy

    def mirrored(cls: Any, *args: Any, **kwargs: Any) -> Any:
        return object.__new__(cls) if alone() else _strategy

    _MULTI_WORKER.__new__ = the_only_one
    _MULTI_WORKER.__init__ = lambda self, *args, **kwargs: None
    _MIRRORED.__new__ = mirrored


def current() -> Any:
    """The strategy if it exists already, else None; never makes one."""
    return _strategy


def rank() -> int:
    """Rank of this worker; 0 for one without peers."""
    return int(_strategy.cluster_resolver.task_id or 0)


def workers() -> int:
    """Number of workers; 1 before they have met."""
    return 1 if _strategy is None else int(_strategy.extended._num_workers)


def is_chief() -> bool:
    """Whether this worker is the one that writes files."""
    return rank() == 0


def alone() -> bool:
    """Whether this process has no peers to talk to."""
    return workers() == 1


def on_any_worker(flag: bool) -> bool:
    """Whether the flag is set on any worker; a collective of all."""
    if alone():
        return flag
    return bool(_sum()(tf.constant(float(flag))) > 0)


@functools.cache
def _sum() -> Any:
    def summed(value: Any) -> Any:
        def replica(value: Any) -> Any:
            context = tf.distribute.get_replica_context()
            # identity puts it on the replica's device, which names the group of the collective.
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(value))

        return _strategy.experimental_local_results(_strategy.run(replica, args=(value,)))[0]

    return tf.function(summed, autograph=False)


def publish(key: str, value: str) -> bool:
    """Sets a key once for all workers; False if another worker was first."""
    try:
        context.context().set_config_key_value(_PREFIX + key, value)
    except tf.errors.AlreadyExistsError:
        return False
    return True


def read(key: str, timeout_seconds: float) -> str | None:
    """Waits for a key; None if it did not appear in time."""
    try:
        return str(context.context().get_config_key_value(_PREFIX + key, _ms(timeout_seconds)))
    except (tf.errors.DeadlineExceededError, tf.errors.NotFoundError):
        return None


def finish(timeout_seconds: float) -> None:
    """Waits for all workers before this process ends, so that none takes a slower one down."""
    if alone():
        return
    context.context().wait_at_barrier(f"{_PREFIX}finish", _ms(timeout_seconds))
    if not is_chief():
        publish(f"finished/{rank()}", "yes")
        return
    # The chief serves the barrier: it stays until every worker has its answer.
    for other in range(1, workers()):
        read(f"finished/{other}", _LINGER_SECONDS)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


_here = threading.local()


def in_writing_thread() -> bool:
    """Whether the calling thread has been marked."""
    return getattr(_here, "writing", False)


def mark_writing_thread() -> None:
    """Lets the calling thread read variables without a word to the other workers."""
    _here.writing = True
