"""Waiting for what another worker says, with a sentence in place of a wait without end.

Broken: a collective that only some workers run is waited in for ever: `fit` on the chief alone, a
variable that one worker makes and no other.
Cause: collectives of TensorFlow have no deadline and know nothing of a worker that never comes.
Instead: workers meet over the key-value store before they run what is a collective, and who waits
looks at whether the other has failed, has ended, or itself waits in the making of a variable.
"""

import itertools
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.distribute import collective_all_reduce_strategy

from kubefit_trainer.keras_multiworker import cluster, coordination, failures, switches
from kubefit_trainer.keras_multiworker.errors import DifferentProgramError, PeerFailedError
from kubefit_trainer.keras_multiworker.patching import Patch, Target

_ENDED = "ended/{}"
_MAKES = "makes/{}"
_MAKING_SECONDS = 5.0
"""After this long in the making of one variable a worker says so."""
_LOOK_SECONDS = 1.0
_LAST_LOOK_SECONDS = 5.0
_LOOKS = 3
"""How often in a row the same variable must be seen in the making."""

_made = itertools.count()


def end() -> None:
    """Tells the others that this worker's program has ended."""
    coordination.publish(_ENDED.format(cluster.member().rank), "yes")


def has_ended(rank: int) -> bool:
    """Whether that worker's program has ended."""
    return coordination.look(_ENDED.format(rank)) is not None


def hear(key: str, rank: int, what: str, timeout_seconds: float | None = None) -> str:
    """The value of a key that worker `rank` publishes when it comes to `what`.

    Raises:
        PeerFailedError: a worker has failed.
        DifferentProgramError: that worker has ended, waits for a variable that this one does not
            make, or did not come in time.

    """
    limit = switches.patience_seconds() if timeout_seconds is None else timeout_seconds
    deadline = time.monotonic() + limit
    seen: list[str] = []
    while True:
        value = coordination.read(key, min(_LOOK_SECONDS, limit))
        if value is not None:
            return value
        if failures.known():
            raise PeerFailedError(failures.known())
        if has_ended(rank):
            value = coordination.read(key, _LAST_LOOK_SECONDS)
            if value is not None:
                return value
            raise DifferentProgramError(
                f"worker {rank} has ended without {what}, which worker {cluster.member().rank} "
                "waits in; call it on all workers"
            )
        seen.append(coordination.look(_MAKES.format(rank)) or "")
        if seen[-1] and seen[-_LOOKS:] == [seen[-1]] * _LOOKS:
            raise DifferentProgramError(
                f"worker {rank} waits for the others to make the variable {seen[-1]} while worker "
                f"{cluster.member().rank} waits in {what}; make the same variables on all workers, "
                "or those of one worker alone in outside_strategy()"
            )
        if time.monotonic() > deadline:
            raise DifferentProgramError(
                f"worker {rank} has not come to {what} within {limit:.0f} s; all workers must run "
                "the same program"
            )


def _apply() -> None:
    owner = collective_all_reduce_strategy.CollectiveAllReduceExtended
    original = owner._get_variable_creator_initial_value

    def creator(self: Any, *args: Any, **kwargs: Any) -> Any:
        initial = original(self, *args, **kwargs)
        name = f"{kwargs.get('name')} (number {next(_made)})"
        return _telling(initial, name)

    owner._get_variable_creator_initial_value = creator


def _telling(initial: Callable[[], Any], name: str) -> Callable[[], Any]:
    def make() -> Any:
        if coordination.alone():
            return initial()
        key = _MAKES.format(cluster.member().rank)
        told = threading.Event()

        def tell() -> None:
            told.set()
            coordination.publish(key, name)

        timer = threading.Timer(_MAKING_SECONDS, tell)
        timer.daemon = True
        timer.start()
        try:
            return initial()
        except tf.errors.InvalidArgumentError as error:
            shapes = re.findall(r"expected shape (\[[\d,]*\])", str(error))
            if not shapes:
                raise
            raise DifferentProgramError(
                f"worker {cluster.member().rank} makes the variable {name} with another shape than "
                f"another worker: {shapes[0]} and {shapes[-1]}; make the same ones on all workers"
            ) from None
        finally:
            timer.cancel()
            timer.join()
            if told.is_set():
                coordination.withdraw(key)

    return make


PATCH = Patch(
    name="meeting",
    targets=(
        Target(
            owner=collective_all_reduce_strategy.CollectiveAllReduceExtended,
            name="_get_variable_creator_initial_value",
            parameters=("self", "replica_id", "device", "primary_var", "kwargs"),
        ),
    ),
    apply=_apply,
)
