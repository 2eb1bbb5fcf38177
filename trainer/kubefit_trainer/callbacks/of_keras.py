"""Progress reports of Keras 3."""

from typing import Any

import keras
from keras.src.backend.tensorflow import trainer as tf_trainer
from keras.src.callbacks import callback_list

from kubefit_trainer.callbacks.progress import Progress, counting, report_exports
from kubefit_trainer.callbacks.reporter import Reporter


class _Progress(Progress, keras.callbacks.Callback):  # type: ignore[misc]
    async_safe = True


def install(reporter: Reporter, *, workers: int) -> None:
    """Adds progress to every list of callbacks that Keras makes from now on.

    To be called after everything else that changes Keras.
    """
    list_init = callback_list.CallbackList.__init__

    def with_progress(self: Any, *args: Any, **kwargs: Any) -> None:
        list_init(self, *args, **kwargs)
        progress = _Progress(reporter, workers=workers)
        progress.set_params(self.params)
        progress.set_model(self.model)
        self.callbacks.append(progress)

    callback_list.CallbackList.__init__ = with_progress
    report_exports(keras.Model, reporter)
    trainer = tf_trainer.TensorFlowTrainer
    trainer.fit = counting(trainer.fit, reporter)
