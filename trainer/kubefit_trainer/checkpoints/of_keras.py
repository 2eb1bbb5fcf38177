"""Snapshots of every `Model.fit` of Keras 3, and going on from one, without the program's doing."""

import functools
import inspect
from typing import Any

from keras.src.backend.tensorflow import trainer as tf_trainer
from keras.src.callbacks import callback_list

from kubefit_trainer.callbacks import progress
from kubefit_trainer.checkpoints.fits import Fits
from kubefit_trainer.keras_multiworker import cluster


def install(fits: Fits) -> None:
    """Makes `fit` of every model keep snapshots; after everything else that changes Keras."""
    trainer = tf_trainer.TensorFlowTrainer
    original = trainer.fit
    signature = inspect.signature(original)
    results = trainer._get_metrics_result_or_logs
    list_init = callback_list.CallbackList.__init__

    @functools.wraps(original)
    def followed(self: Any, *args: Any, **kwargs: Any) -> Any:
        ours = cluster.is_ours(self.distribute_strategy)
        if not ours or fits.current is not None or progress.is_trial():
            return original(self, *args, **kwargs)
        arguments = dict(signature.bind(self, *args, **kwargs).arguments)
        arguments.pop("self")
        return fits.fit(original, self, arguments)

    def with_follower(self: Any, *args: Any, **kwargs: Any) -> None:
        list_init(self, *args, **kwargs)
        current = fits.current
        if current is not None and current.list is None:
            current.list = self
            current.set_params(self.params)
            current.set_model(self.model)
            self.callbacks.append(current)
            # The model is built now, and no callback has begun.
            fits.initial.give(self.model)

    def with_results(self: Any, logs: Any) -> Any:
        current = fits.current
        if current is not None and current.model is self:
            logs = current.results(logs)
        return results(self, logs)

    trainer.fit = followed
    trainer._get_metrics_result_or_logs = with_results
    callback_list.CallbackList.__init__ = with_follower
