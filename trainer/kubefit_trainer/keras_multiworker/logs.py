"""Logs of a step: those of one process, on every worker, from one small collective.

Metric states are sums, so the states of all replicas are added and the results computed from the
totals; a state that says otherwise by its `aggregation` is averaged or taken from the first
replica. What a custom `train_step` returns beside metrics is averaged over rows, also under a name
that a metric has: a number is that metric's if it is what the metric says on its replica.
"""

from typing import Any

import tensorflow as tf
from keras.src import backend, tree

from kubefit_trainer.keras_multiworker import step as steps


def globally(
    model: Any, outcome: Any, step: steps.Step, agreed: Any, *, custom: bool
) -> tuple[Any, Any]:
    """Logs of all replicas together; call it in replica context after the step function.

    Args:
        model: the model that ran the step.
        outcome: what the step function returned.
        step: the step of this replica.
        agreed: float32 vector to be summed over the replicas beside the states.
        custom: whether the step function is the program's own, so that `outcome` may be anything.

    Returns:
        The logs in the structure of `outcome`, and the sum of `agreed`.

    """
    variables = list(model.metrics_variables)
    parts = [_part(variable, step.replica) for variable in variables]
    numbers = [tf.cast(one, tf.float32) for one in tree.flatten(outcome)] if custom else []
    named = _named(outcome, numbers)
    local = model.get_metrics_result() if custom else {}
    own = [_is_own(name, value, local, step.rows) for name, value in named]
    weighted = [tf.math.multiply_no_nan(value, step.rows) for value in numbers]
    rows, agreed, *summed = _sum([step.rows, agreed, *parts, *own, *weighted], step.replicas)
    states = [
        total / tf.cast(step.replicas, total.dtype) if variable.aggregation == "mean" else total
        for total, variable in zip(summed, variables, strict=False)
    ]
    with backend.StatelessScope(state_mapping=list(zip(variables, states, strict=True))):
        results = model.get_metrics_result()
    if not custom:
        return {name: results[name] for name in outcome}, agreed
    owned, sums = summed[len(parts) :][: len(own)], summed[len(parts) + len(own) :]
    averages = [
        tf.where(
            count > step.replicas - 0.5,
            tf.cast(results.get(name, 0.0), tf.float32),
            tf.math.divide_no_nan(total, rows),
        )
        for (name, _), count, total in zip(named, owned, sums, strict=True)
    ]
    packed = tree.pack_sequence_as(outcome, averages)
    if isinstance(outcome, dict):
        packed = {name: packed[name] for name in outcome}
    return packed, agreed


def _named(outcome: Any, numbers: list[Any]) -> list[tuple[str, Any]]:
    """The numbers of an outcome with the names of metrics that they may be."""
    if not numbers or not isinstance(outcome, dict):
        return [("", number) for number in numbers]
    paths = [path for path, _ in tree.flatten_with_path(outcome)]
    names = [str(path[0]) if len(path) == 1 else "" for path in paths]
    return list(zip(names, numbers, strict=True))


def _is_own(name: str, value: Any, local: dict[str, Any], rows: Any) -> Any:
    """1 if the number is what the metric of that name says on this replica, also if NaN.

    A replica without rows has nothing to say against it: its metrics have forgotten the padding.
    """
    if name not in local:
        return tf.zeros(())
    metric = tf.cast(local[name], tf.float32)
    if metric.shape.rank != value.shape.rank:
        return tf.zeros(())
    equal = (value == metric) | (tf.math.is_nan(value) & tf.math.is_nan(metric))
    return tf.cast(tf.reduce_all(equal) | (rows <= 0), tf.float32)


def _part(variable: Any, replica: int) -> Any:
    """What this replica adds to the state of all."""
    state = tf.convert_to_tensor(variable.value)
    if variable.aggregation == "only_first_replica" and replica > 0:
        return tf.zeros_like(state)
    return state


def _sum(values: list[Any], replicas: int) -> list[Any]:
    """Sums tensors over all replicas, joined to one vector per dtype."""
    if replicas == 1:
        return values
    by_dtype: dict[Any, list[int]] = {}
    for index, value in enumerate(values):
        by_dtype.setdefault(value.dtype, []).append(index)
    joined = [
        tf.concat([tf.reshape(values[i], [-1]) for i in group], 0) for group in by_dtype.values()
    ]
    summed = list(values)
    for vector, group in zip(steps.all_sum(joined), by_dtype.values(), strict=True):
        parts = tf.split(vector, [values[i].shape.num_elements() for i in group])
        for i, part in zip(group, parts, strict=True):
            summed[i] = tf.reshape(part, values[i].shape)
    return summed
