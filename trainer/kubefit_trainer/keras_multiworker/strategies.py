"""Programs that make their own strategy train with all workers too.

Broken: a second MultiWorkerMirroredStrategy cannot be made once TensorFlow runs ("Collective ops
must be configured at program startup"), and a strategy of one machine (MirroredStrategy,
OneDeviceStrategy) would train each worker alone.
Cause: the strategy of the cluster exists before the program starts, as it must.
Upstream: https://github.com/tensorflow/tensorflow/issues/34568
Instead: making any of them returns the one there is, also where it has one worker only.
"""

from typing import Any

import tensorflow as tf
from tensorflow.python.distribute import (
    collective_all_reduce_strategy,
    mirrored_strategy,
    one_device_strategy,
)

from kubefit_trainer.keras_multiworker import cluster
from kubefit_trainer.keras_multiworker.patching import Patch, Target

_MULTI_WORKER = collective_all_reduce_strategy.CollectiveAllReduceStrategy
_OF_ONE_MACHINE = (mirrored_strategy.MirroredStrategy, one_device_strategy.OneDeviceStrategy)


def _apply() -> None:
    original_init = _MULTI_WORKER.__init__

    def new(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if cluster.current() is not None:
            return cluster.current()
        return object.__new__(cls)

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        if cluster.current() is None:
            original_init(self, *args, **kwargs)
            cluster.adopt(self)

    def new_of_one_machine(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if cls in _OF_ONE_MACHINE and cluster.current() is not None:
            return cluster.current()
        return object.__new__(cls)

    _MULTI_WORKER.__new__ = new
    _MULTI_WORKER.__init__ = init
    for owner in _OF_ONE_MACHINE:
        owner.__new__ = new_of_one_machine


PATCH = Patch(
    name="strategies",
    targets=(
        Target(owner=_MULTI_WORKER, name="__init__"),
        *(Target(owner=owner, name="__init__") for owner in _OF_ONE_MACHINE),
        Target(owner=tf.distribute, name="MultiWorkerMirroredStrategy"),
    ),
    apply=_apply,
)
