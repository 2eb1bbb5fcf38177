"""Optimizers of Keras whose learning rate differs from weight to weight.

Keras knows no groups of parameters. Scaling gradients instead would do nothing under Adam, which
divides it out again, so the learning rate itself is scaled: that of the update and that of the
decoupled weight decay. Both happen after the gradients of all workers were put together, so that
they are the same everywhere. Clipping sees the gradients before.
"""

import math
from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from kubefit.api.recipe import Optimizer, Training
from kubefit_trainer.recipe.schedules import Rate


class _PerWeight:
    """Mixed into an optimizer of Keras."""

    def set_rates(self: Any, rates: Iterable[tuple[keras.Variable, float]]) -> None:
        """Sets each weight's share of the learning rate; weights not named have 1."""
        self._rates = {self._var_key(variable): rate for variable, rate in rates}

    @property
    def averaged(self: Any) -> list[keras.Variable]:
        """The weights that learn."""
        return list(self._trainable_variables)

    @property
    def averages(self: Any) -> list[keras.Variable]:
        """Exponential moving averages of those weights, in their order."""
        return list(self._model_variables_moving_average)

    def update_step(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One weight's update, at its own learning rate."""
        rate = self._rates.get(self._var_key(variable), 1.0)
        super().update_step(gradient, variable, learning_rate * rate)  # type: ignore[misc]

    def _apply_weight_decay(self: Any, variables: list[Any]) -> None:
        if not self.weight_decay:
            return
        for variable in variables:
            if self._use_weight_decay(variable):
                rate = self._rates.get(self._var_key(variable), 1.0)
                shrink = tf.cast(self.learning_rate * rate * self.weight_decay, variable.dtype)
                self.assign_sub(variable, tf.convert_to_tensor(variable) * shrink)

    def finalize_variable_values(self: Any, var_list: list[Any]) -> None:
        """Nothing: `AverageWeights` decides which weights stay."""


class _Adam(_PerWeight, keras.optimizers.Adam):  # type: ignore[misc]
    pass


class _AdamW(_PerWeight, keras.optimizers.AdamW):  # type: ignore[misc]
    pass


class _SGD(_PerWeight, keras.optimizers.SGD):  # type: ignore[misc]
    pass


class _RMSprop(_PerWeight, keras.optimizers.RMSprop):  # type: ignore[misc]
    pass


_OURS = {
    Optimizer.ADAM: _Adam,
    Optimizer.ADAMW: _AdamW,
    Optimizer.SGD: _SGD,
    Optimizer.RMSPROP: _RMSprop,
}
PLAIN = {
    Optimizer.ADAM: keras.optimizers.Adam,
    Optimizer.ADAMW: keras.optimizers.AdamW,
    Optimizer.SGD: keras.optimizers.SGD,
    Optimizer.RMSPROP: keras.optimizers.RMSprop,
}
"""What Keras has of the same name, for models that leave here."""


def make(
    training: Training,
    rate: Rate,
    *,
    model: keras.Model,
    rates: Iterable[tuple[keras.Variable, float]],
    steps_per_epoch: int,
) -> Any:
    """The optimizer of one phase, for the weights of the model that learn in it.

    Decay leaves out biases and the weights of normalization, which are vectors.
    """
    momentum = None
    if training.ema_epochs is not None:
        momentum = math.exp(-1.0 / (training.ema_epochs * steps_per_epoch))
    kind = training.optimizer or Optimizer.ADAM
    optimizer: Any = _OURS[kind](
        name=kind.value,
        learning_rate=rate,
        weight_decay=training.weight_decay or 0.0,
        global_clipnorm=training.clip_norm,
        use_ema=momentum is not None,
        ema_momentum=momentum if momentum is not None else 0.99,
    )
    optimizer.set_rates(rates)
    optimizer.exclude_from_weight_decay(
        var_list=[variable for variable in model.trainable_variables if len(variable.shape) < 2]
    )
    return optimizer


def innermost(optimizer: Any) -> Any:
    """The optimizer itself where Keras wrapped it to scale the loss of float16."""
    return getattr(optimizer, "inner_optimizer", optimizer)
