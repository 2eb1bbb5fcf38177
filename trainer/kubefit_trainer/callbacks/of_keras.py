"""Progress reports of Keras 3."""

from typing import Any

import keras
from keras.src.backend.tensorflow import trainer as tf_trainer
from keras.src.callbacks import callback_list

from kubefit_trainer.callbacks.histograms import Histograms
from kubefit_trainer.callbacks.inspection import NOTHING, Inspection
from kubefit_trainer.callbacks.profile import Profile
from kubefit_trainer.callbacks.progress import Progress, counting, is_trial, report_exports
from kubefit_trainer.callbacks.reporter import Reporter, Waited
from kubefit_trainer.keras_multiworker import links, waits


class _Progress(Progress, keras.callbacks.Callback):  # type: ignore[misc]
    async_safe = True


class _Histograms(Histograms, keras.callbacks.Callback):  # type: ignore[misc]
    pass


class _Profile(Profile, keras.callbacks.Callback):  # type: ignore[misc]
    pass


def install(reporter: Reporter, *, workers: int, inspection: Inspection = NOTHING) -> None:
    """Adds progress, and what is asked of TensorBoard, to every list of callbacks from now on.

    To be called after everything else that changes Keras.
    """
    reporter.waited = _waited
    list_init = callback_list.CallbackList.__init__

    def with_progress(self: Any, *args: Any, **kwargs: Any) -> None:
        list_init(self, *args, **kwargs)
        added: list[Any] = [_Progress(reporter, workers=workers)]
        if inspection.histograms and not is_trial():
            added.append(_Histograms(inspection.histograms, reporter))
        if inspection.tracer and not is_trial():
            added.append(_Profile(inspection.tracer, reporter))
            # Steps begin and end on the thread that runs them.
            self._async_train = False
        for callback in added:
            callback.set_params(self.params)
            callback.set_model(self.model)
        self.callbacks += added

    callback_list.CallbackList.__init__ = with_progress
    report_exports(keras.Model, reporter)
    trainer = tf_trainer.TensorFlowTrainer
    trainer.fit = counting(trainer.fit, reporter)


def _waited() -> Waited:
    total = waits.total
    return Waited(
        data=total.data,
        slowest_data=total.slowest_data,
        exchange=total.exchange if links.sums() else None,
    )
