"""`float(optimizer.learning_rate)` and `int(optimizer.iterations)`, as callbacks write them.

Broken: they raise TypeError under a strategy.
Cause: `__float__` and `__int__` in keras/src/backend/common/variables.py convert the value of
TensorFlow's mirrored variable, which has neither.
Instead: such a variable is read first.
"""

from typing import Any

import tensorflow as tf
from keras.src.backend.common.variables import Variable

from kubefit_trainer.keras_multiworker.patching import Patch, Target


def _apply() -> None:
    for name, convert in (("__float__", float), ("__int__", int)):
        setattr(Variable, name, _reading(getattr(Variable, name), convert))


def _reading(original: Any, convert: Any) -> Any:
    def method(self: Any) -> Any:
        if self.ndim == 0 and isinstance(self.value, tf.distribute.DistributedValues):
            return convert(tf.convert_to_tensor(self.value).numpy())
        return original(self)

    method.__name__ = original.__name__
    return method


PATCH = Patch(
    name="scalars",
    targets=tuple(
        Target(owner=Variable, name=name, parameters=("self",)) for name in ("__float__", "__int__")
    ),
    apply=_apply,
)
