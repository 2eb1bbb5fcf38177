"""`keras.utils.clear_session()`, as programs and tuners call it before they build a model.

Broken: afterwards there is no strategy, the next `fit` trains each worker by itself, and the
program ends with "IndexError: pop from empty list".
Cause: it calls `tf.compat.v1.reset_default_graph` (keras/src/backend/common/global_state.py), which
forgets the scope that the program runs in.
Instead: inside of a scope the graph stays; eager programs keep nothing in it. Names are counted
anew and memory is freed, as without a strategy.
"""

from typing import Any

import tensorflow as tf

from kubefit_trainer.keras_multiworker.patching import Patch, Target


def _apply() -> None:
    original = tf.compat.v1.reset_default_graph

    def reset_default_graph(*args: Any, **kwargs: Any) -> None:
        if not tf.distribute.has_strategy():
            original(*args, **kwargs)

    tf.compat.v1.reset_default_graph = reset_default_graph


PATCH = Patch(
    name="sessions",
    targets=(Target(owner=tf.compat.v1, name="reset_default_graph"),),
    apply=_apply,
)
