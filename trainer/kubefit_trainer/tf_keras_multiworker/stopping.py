"""`model.stop_training`: set on any worker, acted on by all at the same step.

tf_keras reads the flag on each worker by itself, after the callbacks of every batch and epoch: a
worker that alone finds it set leaves the others in a collective for ever. So there the workers ask
each other, in one small collective a step, whether it is set on any.
"""

import functools
from typing import Any

from tf_keras.src import callbacks

from kubefit_trainer.tf_keras_multiworker import cluster


def install() -> None:
    """Makes the workers agree after the callbacks of a batch and of an epoch."""
    if cluster.alone():
        return
    for name in ("on_train_batch_end", "on_epoch_end"):
        setattr(callbacks.CallbackList, name, _agreeing(getattr(callbacks.CallbackList, name)))


def _agreeing(original: Any) -> Any:
    @functools.wraps(original)
    def called(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if self.model is not None:
            self.model.stop_training = cluster.on_any_worker(self.model.stop_training)

    return called
