"""`model.stop_training`: set anywhere, acted on everywhere at the same step.

Broken: a flag that one worker alone sets (a signal handler, a callback that looks at the clock)
ends its loop while the others wait in a collective for ever.
Cause: `stop_training` is a plain attribute that `fit` in keras/src/backend/tensorflow/trainer.py
reads on each worker by itself.
Upstream: https://github.com/keras-team/keras/issues/20585
Instead: setting it is a request. Requests travel with the collective of the next step, and with one
of their own at the end of an epoch; reading it tells what all workers agreed about.
"""

from typing import Any

from keras.src.backend.tensorflow import trainer as tf_trainer

from kubefit_trainer.keras_multiworker import asking, cluster, sums, watchdog
from kubefit_trainer.keras_multiworker.patching import Patch, Target


def agree(model: Any) -> None:
    """Makes requests of any worker known to all, other requests too; all must call it."""
    requested = float(getattr(model, "_stop_requested", False))
    with watchdog.inside("the end of an epoch"):
        stop, *requests = sums.sum_over_workers([requested, *asking.flags()])
    object.__setattr__(model, "_stop_agreed", stop > 0)
    asking.hear(requests)


def _apply() -> None:
    def read(self: Any) -> bool:
        if cluster.is_ours(self.distribute_strategy):
            return bool(getattr(self, "_stop_agreed", False))
        return bool(getattr(self, "_stop_requested", False))

    def write(self: Any, value: bool) -> None:
        object.__setattr__(self, "_stop_requested", bool(value))
        if not value:
            object.__setattr__(self, "_stop_agreed", False)

    tf_trainer.TensorFlowTrainer.stop_training = property(read, write)


PATCH = Patch(
    name="stopping",
    targets=(Target(owner=tf_trainer.TensorFlowTrainer, name="fit"),),
    apply=_apply,
)
