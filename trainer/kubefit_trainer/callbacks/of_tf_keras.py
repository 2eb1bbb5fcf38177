"""Progress reports of Keras 2."""

from typing import Any

import tf_keras
from tf_keras.src import callbacks

from kubefit_trainer.callbacks.progress import Progress, counting, report_exports
from kubefit_trainer.callbacks.reporter import Reporter


class _Progress(Progress, callbacks.Callback):  # type: ignore[misc]
    _supports_tf_logs = True
    """Logs stay tensors until a report is due."""


def install(reporter: Reporter, *, workers: int) -> None:
    """Adds progress to every list of callbacks that tf_keras makes from now on."""
    list_init = callbacks.CallbackList.__init__

    def with_progress(self: Any, *args: Any, **kwargs: Any) -> None:
        list_init(self, *args, **kwargs)
        progress = _Progress(reporter, workers=workers)
        progress.set_params(getattr(self, "params", {}))
        progress.set_model(getattr(self, "model", None))
        self.callbacks.append(progress)
        # Found out of the callbacks before; a list without batch hooks is not asked at all.
        self._should_call_train_batch_hooks = True

    callbacks.CallbackList.__init__ = with_progress
    report_exports(tf_keras.Model, reporter)
    tf_keras.Model.fit = counting(tf_keras.Model.fit, reporter)
