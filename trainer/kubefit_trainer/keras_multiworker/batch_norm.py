"""BatchNormalization: one set of moving statistics, that of all workers together.

Broken: each worker keeps moving statistics of its own rows, and the chief saves only its own.
Cause: they are mirrored variables without aggregation, assigned in replica context, in
keras/src/layers/normalization/batch_normalization.py.
Upstream: https://github.com/keras-team/keras/issues/20585
Instead: before every evaluation, prediction, end of an epoch and save, the statistics are averaged
over the replicas; the moving mean is then the one of the global batches, the moving variance the
mean of the local ones. For normalization with global statistics in training too, see
`sync_batch_norm`.
"""

import operator
from typing import Any

import tensorflow as tf
from keras.src.backend.tensorflow import nn as tf_nn
from keras.src.layers.normalization.batch_normalization import BatchNormalization

from kubefit_trainer.keras_multiworker import cluster, watchdog
from kubefit_trainer.keras_multiworker import step as steps
from kubefit_trainer.keras_multiworker.patching import Patch, Target


def make_global(model: Any) -> None:
    """Averages the moving statistics over all replicas; all workers must call it."""
    strategy = model.distribute_strategy
    if strategy.num_replicas_in_sync == 1 or not _changed(model):
        return
    variables = _statistics(model)
    if variables:
        with strategy.scope(), watchdog.inside("the averaging of moving statistics"):
            _averaging(model, variables)()
    model._statistics_step = _steps_done(model)


def needs_global(model: Any) -> bool:
    """Whether statistics may differ between workers; the same answer on all of them."""
    strategy = model.distribute_strategy
    return bool(
        cluster.is_ours(strategy)
        and strategy.num_replicas_in_sync > 1
        and _changed(model)
        and _statistics(model)
    )


def sync_batch_norm(model: Any) -> Any:
    """Makes every BatchNormalization of a built model normalize over the global batch.

    Works on models whose layers cannot be told so when they are made, as `keras.applications`.
    Call it before `compile`. Returns the same model.
    """
    for layer in model._flatten_layers():
        if isinstance(layer, BatchNormalization):
            layer.synchronized = True
    return model


def _steps_done(model: Any) -> str:
    """Which train function has done how many steps; compiling makes another one."""
    function = model.train_function
    return f"{getattr(function, 'number', 0)}/{getattr(function, 'calls', 0)}"


def _changed(model: Any) -> bool:
    if not getattr(model.train_function, "calls", 0):
        return False
    return _steps_done(model) != getattr(model, "_statistics_step", None)


def _statistics(model: Any) -> list[Any]:
    return [
        variable.value
        for layer in model._flatten_layers()
        # A frozen layer keeps its statistics; averaging equal ones could still round them.
        if isinstance(layer, BatchNormalization) and layer.built and layer.trainable
        for variable in layer._non_trainable_variables
        if variable.dtype.startswith(("float", "bfloat"))
    ]


def _averaging(model: Any, variables: list[Any]) -> Any:
    """The function that averages these variables, traced once for each model."""
    known, function = getattr(model, "_averaging_of", ((), None))
    if len(known) == len(variables) and all(map(operator.is_, known, variables)):
        return function
    made = _average(variables, model.distribute_strategy)
    # Keras would track a plain assignment as part of the model.
    object.__setattr__(model, "_averaging_of", (variables, made))
    return made


def _average(variables: list[Any], strategy: Any) -> Any:
    replicas = strategy.num_replicas_in_sync

    def average() -> None:
        def replica() -> None:
            values = [tf.convert_to_tensor(variable) for variable in variables]
            joined = tf.concat([tf.reshape(tf.cast(v, tf.float32), [-1]) for v in values], 0)
            mean = steps.all_sum([joined])[0] / replicas
            parts = tf.split(mean, [value.shape.num_elements() for value in values])
            for variable, value, part in zip(variables, values, parts, strict=True):
                variable.assign(tf.cast(tf.reshape(part, value.shape), value.dtype))

        strategy.run(replica)

    return tf.function(average, autograph=False)


def _apply() -> None:
    moments = tf_nn._compute_moments_sync

    def _compute_moments_sync(x: Any, axes: Any, keepdims: bool) -> Any:
        step = steps.current()
        if step is None:
            return moments(x, axes, keepdims)
        return _moments(x, axes, keepdims, step)

    tf_nn._compute_moments_sync = _compute_moments_sync


def _moments(x: Any, axes: Any, keepdims: bool, step: steps.Step) -> Any:
    """Mean and variance over the rows of all replicas, in two passes as Keras has it on one."""
    real = tf.cast(step.rows > 0, x.dtype) if step.may_be_empty else tf.ones((), x.dtype)
    total = tf.reduce_sum(x, axes, keepdims=True) * real
    count = tf.cast(tf.size(x), x.dtype) / tf.cast(tf.size(total), x.dtype) * real
    joined = tf.concat([tf.reshape(total, [-1]), tf.reshape(count, [1])], 0)
    joined = _sum(joined, step)
    count = joined[-1]
    mean = tf.reshape(joined[:-1], tf.shape(total)) / count
    squares = tf.reduce_sum(tf.square(x - mean), axes, keepdims=True) * real
    variance = _sum(squares, step) / count
    mean.set_shape(total.shape)
    variance.set_shape(total.shape)
    if not keepdims:
        mean, variance = tf.squeeze(mean, axes), tf.squeeze(variance, axes)
    return mean, variance


def _sum(value: Any, step: steps.Step) -> Any:
    """Sum over all replicas, through which gradients flow back to the rows of each.

    The loss of a replica depends on the rows of the others by what they sum. Where losses are not
    scaled by rows before they are differentiated, gradients are weighed by the rows of the replica
    that hands them in: so that what comes from another's loss must be weighed by its rows first.
    """

    def sum_of(part: Any) -> Any:
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, part)

    if step.scales_loss:
        return sum_of(value)

    def weighed(part: Any) -> Any:
        def gradient(upstream: Any) -> Any:
            rows = tf.cast(step.rows, upstream.dtype)
            return tf.math.divide_no_nan(sum_of(tf.math.multiply_no_nan(upstream, rows)), rows)

        return sum_of(part), gradient

    return tf.custom_gradient(weighed)(value)


PATCH = Patch(
    name="synchronized_batch_norm",
    targets=(
        Target(owner=tf_nn, name="_compute_moments_sync", parameters=("x", "axes", "keepdims")),
    ),
    apply=_apply,
)
