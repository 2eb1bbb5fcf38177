"""Optimizers: exchange first, then let every replica do on its own what one process does.

Broken: clipping acts on local gradients, so that a clipped step grows with the number of workers;
`mixed_float16` hangs when one worker overflows, because each decides for itself whether its
gradients are finite; gradient accumulation and EMA with overwrite raise RuntimeError.
Cause: the all-reduce sits at the end of `apply`, in `TFOptimizer._backend_update_step`, and the
updates use `merge_call`, which TensorFlow forbids inside a `cond`.
Upstream: https://github.com/keras-team/keras/issues/20585,
https://github.com/tensorflow/tensorflow/issues/33929
Instead: the outermost `apply` exchanges the gradients and then enters one `merge_call`, in which
each local replica runs the rest of `apply` in an update context: variables resolve to their local
component, so that conditions, accumulators and averages are plain local operations on values that
are equal everywhere.
"""

import threading
from typing import Any

import tensorflow as tf
from keras.src.backend.tensorflow import optimizer as tf_optimizer
from keras.src.optimizers import base_optimizer, loss_scale_optimizer
from tensorflow.python.distribute import distribute_lib, distribute_utils

from kubefit_trainer.keras_multiworker import cluster, exchange, lookups
from kubefit_trainer.keras_multiworker import step as steps
from kubefit_trainer.keras_multiworker.errors import UnsupportedProgramError
from kubefit_trainer.keras_multiworker.patching import Patch, Target

_exchanged = threading.local()


def inside_update() -> bool:
    """Whether this thread runs the part of `apply` after the exchange."""
    return bool(getattr(_exchanged, "on", False))


def _apply() -> None:
    base = base_optimizer.BaseOptimizer
    scaled = loss_scale_optimizer.LossScaleOptimizer
    for owner in (base, scaled):
        _wrap_apply(owner)
        _wrap_scale_loss(owner)
    scaled._tf_apply = _either(scaled._tf_apply, scaled._common_apply)
    for name in (
        "_backend_update_step",
        "_apply_weight_decay",
        "_backend_increment_gradient_accumulators",
        "_overwrite_model_variables_with_average_value",
    ):
        ours = _either(getattr(tf_optimizer.TFOptimizer, name), getattr(base, name))
        setattr(tf_optimizer.TFOptimizer, name, ours)


def _wrap_apply(owner: Any) -> None:
    original = owner.apply

    def apply(self: Any, grads: Any, trainable_variables: Any = None) -> Any:
        if inside_update() or not cluster.is_ours(tf.distribute.get_strategy()):
            return original(self, grads, trainable_variables)
        replica = tf.distribute.get_replica_context()
        if replica is None:
            return _apply_outside(original, self, grads, trainable_variables)
        return _exchange_and_apply(original, self, replica, (list(grads), trainable_variables))

    owner.apply = apply


def _wrap_scale_loss(owner: Any) -> None:
    original = owner.scale_loss

    def scale_loss(self: Any, loss: Any) -> Any:
        step = steps.current()
        if step is not None and step.scales_loss:
            loss = loss * tf.cast(step.rows / step.total, loss.dtype)
            step.loss_scaled = True
        return original(self, loss)

    owner.scale_loss = scale_loss


def _apply_outside(original: Any, optimizer: Any, grads: Any, variables: Any) -> None:
    strategy = tf.distribute.get_strategy()
    if strategy.num_replicas_in_sync > 1:
        raise UnsupportedProgramError(
            "optimizer.apply was called outside of strategy.run, where gradients cannot be "
            "exchanged between workers; call the training step through strategy.run or use fit"
        )
    _update(original, optimizer, strategy, (list(grads), variables))


def _exchange_and_apply(
    original: Any, optimizer: Any, replica: Any, arguments: tuple[list[Any], Any]
) -> None:
    grads, variables = arguments
    variables = None if variables is None else list(variables)
    known = optimizer._trainable_variables if variables is None else variables
    sent = [lookups.Sent(gradient) for gradient in grads]
    for place, (gradient, variable) in enumerate(zip(grads, known, strict=False)):
        if isinstance(gradient, tf.Tensor):
            gradient.set_shape(variable.shape)
        sent[place] = lookups.sent(gradient, variable.shape)
    present = [one.value for one in sent if one.value is not None]
    step = steps.current()
    if step is not None and step.loss_scaled:
        present = [_without_padding(gradient, step) for gradient in present]
    if step is None or step.loss_scaled:
        reduced = exchange.plain_sum(present) if present else []
    else:
        reduced = exchange.weighted_mean(present, step.rows, step.total) if present else []
    full = [None if one.value is None else one.back(reduced.pop(0)) for one in sent]

    def update(strategy: Any, grads: Any) -> None:
        _update(original, optimizer, strategy, (grads, variables))

    replica.merge_call(update, args=(full,))


def _without_padding(gradient: Any, step: steps.Step) -> Any:
    """The gradient, or zeros where the row behind it was only padded in."""
    if not isinstance(gradient, tf.IndexedSlices):
        return step.mask_empty(gradient)
    values = step.mask_empty(gradient.values)
    return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)


def _update(original: Any, optimizer: Any, strategy: Any, arguments: tuple[Any, Any]) -> None:
    """The rest of `apply` on every local replica; call it in cross-replica context."""
    grads, variables = arguments
    variables = None if variables is None else list(variables)
    if not optimizer.built:
        with tf.init_scope():
            optimizer.build(variables)
    for i, device in enumerate(strategy.extended.worker_devices):
        local = [None if g is None else distribute_utils.select_replica(i, g) for g in grads]
        with tf.device(device), distribute_lib.UpdateContext(i):
            _exchanged.on = True
            try:
                original(optimizer, local, variables)
            finally:
                _exchanged.on = False


def _either(outside: Any, inside: Any) -> Any:
    """The method Keras has, except after an exchange, where the backend-agnostic one is right."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return (inside if inside_update() else outside)(self, *args, **kwargs)

    return method


PATCH = Patch(
    name="optimizer",
    targets=(
        Target(
            owner=base_optimizer.BaseOptimizer,
            name="apply",
            parameters=("self", "grads", "trainable_variables"),
        ),
        Target(
            owner=loss_scale_optimizer.LossScaleOptimizer,
            name="_common_apply",
            parameters=("self", "grads", "trainable_variables"),
        ),
        Target(owner=loss_scale_optimizer.LossScaleOptimizer, name="_tf_apply"),
        Target(owner=loss_scale_optimizer.LossScaleOptimizer, name="scale_loss"),
        Target(owner=base_optimizer.BaseOptimizer, name="scale_loss", parameters=("self", "loss")),
        Target(
            owner=tf_optimizer.TFOptimizer,
            name="_backend_update_step",
            parameters=("self", "grads", "trainable_variables", "learning_rate"),
        ),
        Target(owner=tf_optimizer.TFOptimizer, name="_apply_weight_decay"),
        Target(owner=tf_optimizer.TFOptimizer, name="_backend_increment_gradient_accumulators"),
        Target(
            owner=tf_optimizer.TFOptimizer, name="_overwrite_model_variables_with_average_value"
        ),
    ),
    apply=_apply,
)
