"""Progress reports of Keras 2."""

from typing import Any

import tf_keras
from tf_keras.src import callbacks

from kubefit_trainer.callbacks.histograms import Histograms
from kubefit_trainer.callbacks.inspection import NOTHING, Inspection
from kubefit_trainer.callbacks.profile import Profile
from kubefit_trainer.callbacks.progress import Progress, counting, report_exports
from kubefit_trainer.callbacks.reporter import Reporter


class _Progress(Progress, callbacks.Callback):  # type: ignore[misc]
    _supports_tf_logs = True
    """Logs stay tensors until a report is due."""


class _Histograms(Histograms, callbacks.Callback):  # type: ignore[misc]
    _supports_tf_logs = True


class _Profile(Profile, callbacks.Callback):  # type: ignore[misc]
    _supports_tf_logs = True

    def steps_at_once(self) -> int:
        return int(self.model._steps_per_execution.numpy())


def install(reporter: Reporter, *, workers: int, inspection: Inspection = NOTHING) -> None:
    """Adds progress, and what is asked of TensorBoard, to every list of callbacks from now on."""
    list_init = callbacks.CallbackList.__init__

    def with_progress(self: Any, *args: Any, **kwargs: Any) -> None:
        list_init(self, *args, **kwargs)
        added: list[Any] = [_Progress(reporter, workers=workers)]
        if inspection.histograms:
            added.append(_Histograms(inspection.histograms, reporter))
        if inspection.tracer:
            added.append(_Profile(inspection.tracer, reporter))
        for callback in added:
            callback.set_params(getattr(self, "params", {}))
            callback.set_model(getattr(self, "model", None))
        self.callbacks += added
        # Found out of the callbacks before; a list without batch hooks is not asked at all.
        self._should_call_train_batch_hooks = True

    callbacks.CallbackList.__init__ = with_progress
    report_exports(tf_keras.Model, reporter)
    tf_keras.Model.fit = counting(tf_keras.Model.fit, reporter)
