"""Waiting for what another worker says, with a sentence in place of a wait without end.

Broken: workers whose programs differ wait for each other for ever, in a variable that one worker
makes and no other too.
Cause: collectives of TensorFlow have no deadline and know nothing of a worker that never comes.
Instead: workers meet over the key-value store before they run what is a collective, and who waits
looks at whether the other has failed, has ended, or waits elsewhere (see `watchdog`).
"""

import itertools
import re
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.distribute import collective_all_reduce_strategy, values

from kubefit_trainer.keras_multiworker import cluster, coordination, failures, switches, watchdog
from kubefit_trainer.keras_multiworker.errors import DifferentProgramError, PeerFailedError
from kubefit_trainer.keras_multiworker.patching import Patch, Target

_LOOK_SECONDS = 1.0
_LAST_LOOK_SECONDS = 5.0

_SUMMED = (tf.VariableAggregation.SUM, tf.VariableAggregation.MEAN)

_made = itertools.count()


def hear(key: str, rank: int, what: str, timeout_seconds: float | None = None) -> str:
    """The value of a key that worker `rank` publishes when it comes to `what`.

    Raises:
        PeerFailedError: a worker has failed.
        DifferentProgramError: that worker has ended, waits in another call of all workers, or did
            not come in time.

    """
    limit = switches.patience_seconds() if timeout_seconds is None else timeout_seconds
    deadline = time.monotonic() + limit
    with watchdog.inside(what, counted=False):
        while True:
            value = coordination.read(key, min(_LOOK_SECONDS, limit))
            if value is not None:
                return value
            if failures.known():
                raise PeerFailedError(failures.known())
            if watchdog.has_ended(rank):
                value = coordination.read(key, _LAST_LOOK_SECONDS)
                if value is not None:
                    return value
                raise DifferentProgramError(
                    f"worker {rank} has ended without {what}, which worker "
                    f"{cluster.member().rank} waits in; call it on all workers"
                )
            watchdog.check()
            if time.monotonic() > deadline:
                raise DifferentProgramError(
                    f"worker {rank} has not come to {what} within {limit:.0f} s; all workers must "
                    "run the same program"
                )


def _apply() -> None:
    owner = collective_all_reduce_strategy.CollectiveAllReduceExtended
    original = owner._get_variable_creator_initial_value

    def creator(self: Any, *args: Any, **kwargs: Any) -> Any:
        initial = original(self, *args, **kwargs)
        return _met(initial, f"{kwargs.get('name')} (number {next(_made)})")

    owner._get_variable_creator_initial_value = creator
    read = values.SyncOnReadVariable._get_cross_replica

    def read_together(self: Any) -> Any:
        if not tf.executing_eagerly() or self.aggregation not in _SUMMED:
            return read(self)
        what = "the reading of the state of a metric"
        with watchdog.inside(what, detail=self.name):
            return read(self)

    values.SyncOnReadVariable._get_cross_replica = read_together


def _met(initial: Callable[[], Any], name: str) -> Callable[[], Any]:
    def make() -> Any:
        try:
            with watchdog.inside("the making of the variable", detail=name):
                return initial()
        except tf.errors.InvalidArgumentError as error:
            shapes = re.findall(r"expected shape (\[[\d,]*\])", str(error))
            if not shapes:
                raise
            raise DifferentProgramError(
                f"worker {cluster.member().rank} makes the variable {name} with another shape than "
                f"another worker: {shapes[0]} and {shapes[-1]}; make the same ones on all workers"
            ) from None

    return make


PATCH = Patch(
    name="meeting",
    targets=(
        Target(
            owner=collective_all_reduce_strategy.CollectiveAllReduceExtended,
            name="_get_variable_creator_initial_value",
            parameters=("self", "replica_id", "device", "primary_var", "kwargs"),
        ),
        Target(owner=values.SyncOnReadVariable, name="_get_cross_replica", parameters=("self",)),
    ),
    apply=_apply,
)
