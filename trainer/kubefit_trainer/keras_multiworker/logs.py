"""Logs of a step: those of one process, on every worker, from one small collective.

Metric states are sums, so the states of all replicas are added and the results computed from the
totals. What a custom `train_step` returns beside metrics is averaged over rows.
"""

from typing import Any

import tensorflow as tf
from keras.src import backend, tree

from kubefit_trainer.keras_multiworker import step as steps


def globally(model: Any, outcome: Any, step: steps.Step, stop: Any, signs: Any) -> Any:
    """Logs of all replicas together; call it in replica context after the step function.

    Returns:
        The logs in the structure of `outcome`, and the summed vector of `stop` and `signs`.

    """
    variables = list(model.metrics_variables)
    states = [tf.convert_to_tensor(variable.value) for variable in variables]
    extra, rebuild = _beside_metrics(model, outcome)
    weighted = [tf.math.multiply_no_nan(value, step.rows) for value in extra]
    note = tf.concat([stop, signs], 0)
    total_rows, note, *summed = _sum([step.rows, note, *states, *weighted], step.replicas)
    averages = [tf.math.divide_no_nan(value, total_rows) for value in summed[len(variables) :]]
    with backend.StatelessScope(
        state_mapping=list(zip(variables, summed[: len(variables)], strict=True))
    ):
        results = model.get_metrics_result()
    return rebuild(results, averages), note


def _beside_metrics(model: Any, outcome: Any) -> Any:
    """Numbers of a step's outcome that are no metrics, and how to put all together again."""
    if not isinstance(outcome, dict):
        flat = [tf.cast(value, tf.float32) for value in tree.flatten(outcome)]
        return flat, lambda _, averages: tree.pack_sequence_as(outcome, averages)
    names = set(model.get_metrics_result())
    others = [name for name in outcome if name not in names]
    values = [tf.cast(outcome[name], tf.float32) for name in others]

    def rebuild(results: dict[str, Any], averages: list[Any]) -> dict[str, Any]:
        both = {**results, **dict(zip(others, averages, strict=True))}
        return {name: both[name] for name in outcome}

    return values, rebuild


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
