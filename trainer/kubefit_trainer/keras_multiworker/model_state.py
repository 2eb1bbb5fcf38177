"""The whole state of a model and its optimizer as arrays, the same on all workers.

Most variables are equal on every replica. Metrics and the statistics of layers are not, within an
epoch: each replica has those of its own rows. Their values on all replicas are in the state, so
that any worker's copy of it is complete.
"""

import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kubefit_trainer.keras_multiworker import cluster, watchdog
from kubefit_trainer.keras_multiworker.step import all_sum

Arrays = dict[str, NDArray[Any]]
_KINDS = ("model/", "state/", "optimizer/")
"""How the keys of weights, of the model's other variables and of its optimizer begin."""


class OtherModelError(Exception):
    """The state is that of another model; one sentence."""


@dataclass(frozen=True, slots=True)
class _Named:
    key: str
    what: str
    """For people: which weight of which layer."""
    variable: Any


def _weights(model: Any) -> Iterator[_Named]:
    for index, variable in enumerate(model.weights):
        yield _Named(f"model/{index:05d}", f"weight {variable.path!r}", variable)


def _variables(model: Any) -> Iterator[_Named]:
    yield from _weights(model)
    known = {id(variable) for variable in model.weights}
    others = [variable for variable in model.variables if id(variable) not in known]
    for index, variable in enumerate(others):
        yield _Named(f"state/{index:05d}", f"state {variable.path!r}", variable)
    for index, variable in enumerate(model.optimizer.variables):
        yield _Named(f"optimizer/{index:05d}", f"optimizer state {variable.path!r}", variable)


def _local(model: Any) -> Iterator[_Named]:
    """Variables whose values differ between replicas within an epoch."""
    for index, variable in enumerate(model.metrics_variables):
        yield _Named(f"local/metric/{index:05d}", f"metric state {variable.path!r}", variable)
    known = {id(variable) for variable in model.metrics_variables}
    number = 0
    for layer in model._flatten_layers():
        if not layer.trainable or getattr(layer, "synchronized", False):
            continue
        for variable in layer._non_trainable_variables:
            if id(variable) not in known:
                what = f"statistics {variable.path!r}"
                yield _Named(f"local/layer/{number:05d}", what, variable)
                number += 1


def capture(model: Any) -> Arrays:
    """Copies of all variables; all workers must call it after the same step.

    Keys are `model/N` for weights, `state/N` for its other variables such as random numbers,
    `optimizer/N` and `local/.../N`; the latter have an axis of replicas first.
    """
    arrays = {named.key: _value(named.variable) for named in _variables(model)}
    local = list(_local(model))
    values = _of_all_replicas(model, [named.variable for named in local])
    return arrays | {named.key: value for named, value in zip(local, values, strict=True)}


def _value(variable: Any) -> NDArray[Any]:
    value = variable.value
    local = value.values[0] if hasattr(value, "values") else value
    # A copy: what TensorFlow gives may be its own memory, which the next step changes.
    return np.array(local.numpy())


def _of_all_replicas(model: Any, variables: list[Any]) -> list[NDArray[Any]]:
    strategy = model.distribute_strategy
    replicas = strategy.num_replicas_in_sync
    if replicas == 1 or not variables:
        return [_value(variable)[None] for variable in variables]
    first, _, _ = cluster.replicas(strategy)

    def gather() -> Any:
        def replica() -> list[Any]:
            place = first + cluster.local_replica_id()
            before_after = [[place, replicas - place - 1], [0, 0]]
            vectors = [tf.reshape(tf.convert_to_tensor(v.value), [1, -1]) for v in variables]
            return all_sum([tf.pad(_summable(vector), before_after) for vector in vectors])

        return strategy.run(replica)

    with strategy.scope(), watchdog.inside("a snapshot"):
        joined = _gathering(model, variables, gather)()
    return [
        _back(strategy.experimental_local_results(value)[0].numpy(), variable)
        for value, variable in zip(joined, variables, strict=True)
    ]


def _gathering(model: Any, variables: list[Any], gather: Any) -> Any:
    """The function for these variables, traced once for each model."""
    known, function = getattr(model, "_gathering_of", ((), None))
    if len(known) == len(variables) and all(map(operator.is_, known, variables)):
        return function
    made = tf.function(gather, autograph=False)
    # Keras would track a plain assignment as part of the model.
    object.__setattr__(model, "_gathering_of", (variables, made))
    return made


def _summable(value: Any) -> Any:
    return tf.cast(value, tf.int32) if value.dtype == tf.bool else value


def _back(joined: NDArray[Any], variable: Any) -> NDArray[Any]:
    dtype = np.dtype(variable.value.dtype.as_numpy_dtype)
    return joined.reshape(len(joined), *variable.shape).astype(dtype)


def check(model: Any, arrays: Mapping[str, NDArray[Any]], names: Mapping[str, str]) -> None:
    """Refuses a state that is not one of this model.

    `names` are those that `describe` gave of the model whose state it is.

    Raises:
        OtherModelError: names the first weight that differs.

    """
    _check(list(_variables(model)), arrays, names)


def check_weights(model: Any, arrays: Mapping[str, NDArray[Any]], names: Mapping[str, str]) -> None:
    """Refuses a state whose weights are not those of this model, as `check` does."""
    weights = {key: array for key, array in arrays.items() if key.startswith("model/")}
    _check(list(_weights(model)), weights, names)


def _check(
    mine: list[_Named], arrays: Mapping[str, NDArray[Any]], names: Mapping[str, str]
) -> None:
    for named in mine:
        if named.key not in arrays:
            raise OtherModelError(f"it has no {named.what}, which this model has")
        here, there = tuple(named.variable.shape), arrays[named.key].shape
        if here != there:
            other = names.get(named.key, named.what)
            raise OtherModelError(
                f"its {other} has the shape {there}, and {named.what} of this model has {here}"
            )
    known = {named.key for named in mine}
    for key in arrays:
        if key.startswith(_KINDS) and key not in known:
            raise OtherModelError(f"its {names.get(key, key)} has no place in this model")


def describe(model: Any) -> dict[str, str]:
    """What each key of the state is, for people."""
    return {named.key: named.what for named in _variables(model)}


def restore(model: Any, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Gives model and optimizer the weights of a state, without what is local; see `check`."""
    with model.distribute_strategy.scope():
        for named in _variables(model):
            named.variable.assign(arrays[named.key])


def restore_weights(model: Any, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Gives the weights of a state to a model, and nothing else; see `check_weights`."""
    for named in _weights(model):
        named.variable.assign(arrays[named.key])


def restore_local(model: Any, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Gives every replica its own values of what differs between them.

    On another number of replicas, metrics, which are sums, go on from the totals, and statistics
    from their means.
    """
    strategy = model.distribute_strategy
    first, local, replicas = cluster.replicas(strategy)
    for named in _local(model):
        values = arrays.get(named.key)
        if values is None:
            continue
        for index in range(local):
            value = _share(named, values, first + index, replicas)
            _assign(named.variable, index, value)


def _share(named: _Named, values: NDArray[Any], replica: int, replicas: int) -> NDArray[Any]:
    if len(values) == replicas:
        return np.asarray(values[replica])
    if named.key.startswith("local/layer/") or named.variable.aggregation == "mean":
        mean: NDArray[Any] = values.mean(axis=0).astype(values.dtype)
        return mean
    if named.variable.aggregation == "only_first_replica":
        return np.asarray(values[0])
    total: NDArray[Any] = values.sum(axis=0, dtype=values.dtype)
    return total if replica == 0 else np.zeros_like(total)


def _assign(variable: Any, replica: int, value: NDArray[Any]) -> None:
    inner = variable.value
    target = inner.values[replica] if hasattr(inner, "values") else inner
    target.assign(tf.cast(value, target.dtype))
