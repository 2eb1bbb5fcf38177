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

from typing import Any

import tensorflow as tf
from keras.src.layers.normalization.batch_normalization import BatchNormalization

from kubefit_trainer.keras_multiworker import cluster
from kubefit_trainer.keras_multiworker.step import all_sum


def make_global(model: Any) -> None:
    """Averages the moving statistics over all replicas; all workers must call it."""
    strategy = model.distribute_strategy
    if strategy.num_replicas_in_sync == 1 or not _changed(model):
        return
    variables = _statistics(model)
    if variables:
        with strategy.scope():
            _average(variables, strategy)
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


def _steps_done(model: Any) -> int:
    function = model.train_function
    return int(getattr(function, "calls", 0)) if function is not None else 0


def _changed(model: Any) -> bool:
    done = _steps_done(model)
    return done != getattr(model, "_statistics_step", 0)


def _statistics(model: Any) -> list[Any]:
    return [
        variable.value
        for layer in model._flatten_layers()
        if isinstance(layer, BatchNormalization) and layer.built
        for variable in layer._non_trainable_variables
        if variable.dtype.startswith(("float", "bfloat"))
    ]


def _average(variables: list[Any], strategy: Any) -> None:
    replicas = strategy.num_replicas_in_sync

    def average() -> None:
        def replica() -> None:
            values = [tf.convert_to_tensor(variable) for variable in variables]
            joined = tf.concat([tf.reshape(tf.cast(v, tf.float32), [-1]) for v in values], 0)
            mean = all_sum([joined])[0] / replicas
            parts = tf.split(mean, [value.shape.num_elements() for value in values])
            for variable, value, part in zip(variables, values, parts, strict=True):
                variable.assign(tf.cast(tf.reshape(part, value.shape), value.dtype))

        strategy.run(replica)

    tf.function(average, autograph=False)()
