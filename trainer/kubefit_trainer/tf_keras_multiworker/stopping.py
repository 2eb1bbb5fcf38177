"""`model.stop_training`: set on any worker, acted on by all at the same step.

tf_keras reads the flag on each worker by itself, after the callbacks of every batch and epoch: a
worker that alone finds it set leaves the others in a collective for ever. So there the workers ask
each other, in one small collective a step, whether it is set on any.
"""

import functools
import threading
from typing import Any

from tf_keras.src import callbacks
from tf_keras.src.engine import training

from kubefit_trainer.tf_keras_multiworker import cluster

_here = threading.local()


def install() -> None:
    """Makes the workers agree after the callbacks of a batch and of an epoch of `fit`."""
    if cluster.alone():
        return
    training.Model.fit = _noted(training.Model.fit)
    for name in ("on_train_batch_end", "on_epoch_end"):
        setattr(callbacks.CallbackList, name, _agreeing(getattr(callbacks.CallbackList, name)))


def _agreeing(original: Any) -> Any:
    @functools.wraps(original)
    def called(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        # Callbacks that a program calls itself, or of a model of one worker, concern nobody else.
        model = getattr(_here, "fitted", None)
        if model is not None and self.model is model:
            model.stop_training = cluster.on_any_worker(model.stop_training)

    return called


def _noted(original: Any) -> Any:
    """`fit`, which says in its thread which model all workers train."""

    @functools.wraps(original)
    def fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = getattr(_here, "fitted", None)
        _here.fitted = self if self.distribute_strategy is cluster.current() else None
        try:
            return original(self, *args, **kwargs)
        finally:
            _here.fitted = before

    return fit
