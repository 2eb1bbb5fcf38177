"""What happens around a user's callbacks: two callbacks of ours, one before and one after them.

Before training the workers compare their programs. Before an epoch's callbacks the statistics are
made global, so that whatever they save or compare is; after them the workers agree about stopping.
"""

from typing import Any

from keras.src.callbacks import callback_list
from keras.src.callbacks.callback import Callback

from kubefit_trainer.keras_multiworker import batch_norm, cluster, preflight, stopping
from kubefit_trainer.keras_multiworker.patching import Patch, Target


class _Before(Callback):  # type: ignore[misc]
    async_safe = True

    def on_train_begin(self, logs: Any = None) -> None:
        preflight.first_step(self.model, self.params)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        batch_norm.make_global(self.model)

    def on_train_end(self, logs: Any = None) -> None:
        batch_norm.make_global(self.model)

    def on_test_begin(self, logs: Any = None) -> None:
        batch_norm.make_global(self.model)

    def on_predict_begin(self, logs: Any = None) -> None:
        batch_norm.make_global(self.model)


class _After(Callback):  # type: ignore[misc]
    async_safe = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        stopping.agree(self.model)


def _apply() -> None:
    original = callback_list.CallbackList.__init__

    def __init__(  # noqa: N807
        self: Any,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        original(self, callbacks, add_history, add_progbar, model, **params)
        if model is not None and cluster.is_ours(model.distribute_strategy):
            for callback in (before := _Before(), after := _After()):
                callback.set_model(model)
                callback.set_params(self.params)
            self.callbacks = [before, *self.callbacks, after]

    callback_list.CallbackList.__init__ = __init__


PATCH = Patch(
    name="hooks",
    targets=(
        Target(
            owner=callback_list.CallbackList,
            name="__init__",
            parameters=(
                "self",
                "callbacks",
                "add_history",
                "add_progbar",
                "model",
                "params",
            ),
        ),
    ),
    apply=_apply,
)
