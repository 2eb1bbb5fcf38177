"""Programs that make their own strategy train with all workers too.

Broken: a second MultiWorkerMirroredStrategy cannot be made once TensorFlow runs ("Collective ops
must be configured at program startup"), and a MirroredStrategy would train each worker alone.
Cause: the strategy of the cluster exists before the program starts, as it must.
Upstream: https://github.com/tensorflow/tensorflow/issues/34568
Instead: making either of them returns the one there is.
"""

from typing import Any

import tensorflow as tf
from tensorflow.python.distribute import collective_all_reduce_strategy, mirrored_strategy

from kubefit_trainer.keras_multiworker import cluster
from kubefit_trainer.keras_multiworker.patching import Patch, Target

_MULTI_WORKER = collective_all_reduce_strategy.CollectiveAllReduceStrategy
_MIRRORED = mirrored_strategy.MirroredStrategy


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

    def new_mirrored(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if cls is _MIRRORED and cluster.current() is not None and cluster.member().workers > 1:
            return cluster.current()
        return object.__new__(cls)

    _MULTI_WORKER.__new__ = new
    _MULTI_WORKER.__init__ = init
    _MIRRORED.__new__ = new_mirrored


PATCH = Patch(
    name="strategies",
    targets=(
        Target(owner=_MULTI_WORKER, name="__init__"),
        Target(owner=_MIRRORED, name="__init__"),
        Target(owner=tf.distribute, name="MultiWorkerMirroredStrategy"),
    ),
    apply=_apply,
)
