"""Start and end of a program: versions, repairs, strategy, seeds; and the last barrier."""

import contextlib
import itertools
import time
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from kubefit_trainer.keras_multiworker import (
    batch_norm,
    callbacks,
    cluster,
    coordination,
    epochs,
    failures,
    fused_batch_norm,
    fused_optimizers,
    hooks,
    links,
    losses,
    meeting,
    optimizer,
    patching,
    predictions,
    preflight,
    saving,
    scalars,
    seeds,
    sessions,
    stopping,
    strategies,
    trainer,
    versions,
    watchdog,
)
from kubefit_trainer.keras_multiworker.errors import PeerFailedError, UnsupportedVersionError

PATCHES = (
    losses.PATCH,
    optimizer.PATCH,
    epochs.PATCH,
    trainer.PATCH,
    predictions.PATCH,
    stopping.PATCH,
    hooks.PATCH,
    preflight.PATCH,
    meeting.PATCH,
    seeds.PATCH,
    saving.PATCH,
    scalars.PATCH,
    sessions.PATCH,
    callbacks.PATCH,
    strategies.PATCH,
    batch_norm.PATCH,
    fused_batch_norm.PATCH,
    fused_optimizers.PATCH,
)
EXIT_TIMEOUT_SECONDS = 86400.0
"""How long a worker that is done waits for slower ones; the death of one ends the waiting."""
_LINGER_SECONDS = 10.0
_LOOK_SECONDS = 1.0

_barriers = itertools.count()


def install() -> None:
    """Repairs Keras in this process; safe to call again.

    Raises:
        UnsupportedVersionError: this Keras, TensorFlow or backend is not one the repairs are for.

    """
    if keras.backend.backend() != "tensorflow":
        raise UnsupportedVersionError(
            f"Keras runs on {keras.backend.backend()!r}; set KERAS_BACKEND=tensorflow"
        )
    versions.check(keras.__version__, tf.__version__)
    patching.apply_all(PATCHES)


def strategy() -> Any:
    """Repairs Keras, meets the peers of TF_CONFIG and returns the strategy of this process."""
    install()
    if cluster.current() is None:
        made = cluster.strategy()
        seeds.seed_everything()
        failures.watch()
        watchdog.start()
        links.connect()
        return made
    return cluster.strategy()


@contextlib.contextmanager
def start() -> Iterator[Any]:
    """Scope in which a Keras program trains with all workers; ends together with them."""
    left: SystemExit | None = None
    try:
        with strategy().scope():
            try:
                yield cluster.strategy()
            except SystemExit as error:
                # `sys.exit()` is an end like any other: the others may not be done.
                if error.code not in (None, 0):
                    raise
                left = error
        finish()
    except BaseException as error:
        explained = failures.explain(error)
        if explained is error:
            raise
        raise explained from None
    if left is not None:
        raise left


def rank() -> int:
    """Rank of this worker, from TF_CONFIG."""
    return cluster.member().rank


def workers() -> int:
    """Number of workers, from TF_CONFIG."""
    return cluster.member().workers


def is_chief() -> bool:
    """Whether this worker is the one that writes files."""
    return cluster.member().chief


def barrier(timeout_seconds: float = EXIT_TIMEOUT_SECONDS) -> None:
    """Waits until every worker has called it as often as this one."""
    coordination.barrier(f"barrier/{next(_barriers)}", timeout_seconds)


def finish(timeout_seconds: float = EXIT_TIMEOUT_SECONDS) -> None:
    """Waits for all workers before this process ends, so that none takes a slower one down.

    Raises:
        PeerFailedError: one of them has failed meanwhile.
        WorkerLostError: one of them is gone; only the chief knows.

    """
    if coordination.alone():
        return
    watchdog.end()
    deadline = time.monotonic() + timeout_seconds
    _wait_for_ends(deadline)
    coordination.barrier("finish", max(_LOOK_SECONDS, deadline - time.monotonic()))
    if is_chief():
        failures.none()
    else:
        coordination.publish(f"finished/{rank()}", "yes")
        return
    # The chief serves the barrier: it stays until every worker has its answer.
    for other in range(1, workers()):
        coordination.read(f"finished/{other}", _LINGER_SECONDS)


def stop(timeout_seconds: float) -> None:
    """Waits for the others before this process ends in the midst of its program.

    They may not come. That is no end of the program, which would be a fault of it.
    """
    with contextlib.suppress(tf.errors.OpError):
        coordination.barrier("stop", timeout_seconds)


def _wait_for_ends(deadline: float) -> None:
    """A barrier does not tell of failures before the process that failed is missed."""
    for other in range(workers()):
        while not watchdog.has_ended(other, _LOOK_SECONDS) and time.monotonic() < deadline:
            if failures.known():
                raise PeerFailedError(failures.known())
            if is_chief():
                coordination.check()
