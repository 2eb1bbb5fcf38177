"""The gradient exchange: one weighted mean over all replicas, before anything else is decided.

Every replica hands in the gradients of its own mean loss and the number of rows they come from.
The result is sum(rows * gradient) / sum(rows), the gradient of the mean over the global batch,
whether the batch divides evenly or not. Finite checks, clipping, accumulation and the update then
all see the same global gradients, and no second collective follows.

Workers on CPUs sum over a ring of TCP connections of their own (`ring`), beside the backward pass
(`gradient_sums`): TensorFlow's collectives copy every byte several times on its way through
protocol buffers. GPUs use the collectives.
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from kubefit_trainer.keras_multiworker import links

PRECISION = "KERAS_MULTIWORKER_EXCHANGE"
"""Environment variable: `exact` (default) or `bfloat16`, which halves the traffic."""

_BUCKET = 25 << 20
"""Bytes of gradients that travel together, while those of earlier layers are still computed."""
_SMALL = 64 << 10
"""Bytes up to which gradients are joined before they travel."""


def weighted_mean(gradients: list[Any], rows: Any, total: Any) -> list[Any]:
    """Mean of each gradient over all replicas, weighted by rows.

    Args:
        gradients: dense tensors or IndexedSlices, the same list on every replica; call it in
            replica context.
        rows: float32 scalar, rows behind this replica's gradients; 0 makes them count for nothing,
            even where they are not finite.
        total: float32 scalar, rows behind the gradients of all replicas.

    Returns:
        The global gradients in the same order, shapes and dtypes.

    """
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return gradients
    dense = [_weigh(g, rows) for g in gradients if not isinstance(g, tf.IndexedSlices)]
    sums = _sum_dense(dense)
    scale = tf.math.divide_no_nan(1.0, total)
    sparse = _sum_sparse(
        [_weigh_slices(g, rows) for g in gradients if isinstance(g, tf.IndexedSlices)]
    )
    return [
        _scale_slices(sparse.pop(0), scale)
        if isinstance(g, tf.IndexedSlices)
        else tf.cast(sums.pop(0) * scale, g.dtype)
        for g in gradients
    ]


def plain_sum(gradients: list[Any]) -> list[Any]:
    """Sum of each gradient over all replicas, where the loss is scaled already."""
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return gradients
    dense = [tf.cast(g, tf.float32) for g in gradients if not isinstance(g, tf.IndexedSlices)]
    sums = _sum_dense(dense)
    sparse = _sum_sparse([g for g in gradients if isinstance(g, tf.IndexedSlices)])
    return [
        sparse.pop(0) if isinstance(g, tf.IndexedSlices) else tf.cast(sums.pop(0), g.dtype)
        for g in gradients
    ]


def _weigh(gradient: Any, rows: Any) -> Any:
    return tf.math.multiply_no_nan(tf.cast(gradient, tf.float32), rows)


def _weigh_slices(gradient: Any, rows: Any) -> Any:
    values = tf.math.multiply_no_nan(gradient.values, tf.cast(rows, gradient.values.dtype))
    return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)


def _scale_slices(gradient: Any, scale: Any) -> Any:
    values = gradient.values * tf.cast(scale, gradient.values.dtype)
    return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)


def _sum_dense(values: list[Any]) -> list[Any]:
    """Sums float32 tensors of known shapes over all replicas.

    Gradients are there from the last layer to the first, and travel in that order.
    """
    sums: list[Any] = [None] * len(values)
    buckets = _buckets([value.shape.num_elements() for value in values])
    # All are on their way before the first is waited for.
    under_way = [_begin_bucket([values[i] for i in bucket]) for bucket in buckets]
    for bucket, end in zip(buckets, under_way, strict=True):
        for index, total in zip(bucket, end(), strict=True):
            sums[index] = total
    return sums


def _buckets(sizes: list[int]) -> list[list[int]]:
    """Indices of float32 tensors of those sizes that travel together, from the last on."""
    buckets: list[list[int]] = []
    room = 0
    for index in reversed(range(len(sizes))):
        if not buckets or 4 * sizes[index] > room:
            buckets.append([])
            room = _BUCKET
        buckets[-1].append(index)
        room -= 4 * sizes[index]
    return buckets


_End = Callable[[], list[Any]]
"""Waits for sums that were begun."""


def _begin_bucket(values: list[Any]) -> _End:
    small = [i for i, value in enumerate(values) if 4 * value.shape.num_elements() <= _SMALL]
    large = [i for i in range(len(values)) if i not in small]
    flat = [tf.reshape(value, [-1]) for value in values]
    vectors = [flat[i] for i in large]
    if small:
        vectors.append(tf.concat([flat[i] for i in small], 0))
    end_vectors = _begin_vectors(vectors)

    def end() -> list[Any]:
        summed = end_vectors()
        parts = {index: summed[place] for place, index in enumerate(large)}
        if small:
            split = tf.split(summed[-1], [flat[i].shape.num_elements() for i in small])
            parts.update(zip(small, split, strict=True))
        return [tf.reshape(parts[i], value.shape) for i, value in enumerate(values)]

    return end


def _begin_vectors(vectors: list[Any]) -> _End:
    halves = _halved()
    sums = links.sums()
    if sums is None:
        summed = _sum_by_collectives(vectors, halves)
        return lambda: summed

    def begin(*arrays: np.ndarray[Any, Any]) -> np.int64:
        return np.int64(sums.begin(arrays, halves=halves))

    # TensorFlow keeps both functions in the order in which they stand here, on every worker.
    number = tf.numpy_function(begin, vectors, tf.int64)

    def end() -> list[Any]:
        dtypes = [tf.float32] * len(vectors)
        # Run eagerly, one result comes without its list.
        summed = tf.nest.flatten(tf.numpy_function(sums.end, [number], dtypes))
        return [tf.ensure_shape(s, v.shape) for s, v in zip(summed, vectors, strict=True)]

    return end


def _sum_by_collectives(vectors: list[Any], halves: bool) -> list[Any]:
    context = tf.distribute.get_replica_context()
    if halves:
        vectors = [tf.cast(vector, tf.bfloat16) for vector in vectors]
    # identity puts a value on the replica's device, which names the group of the collective.
    vectors = [tf.identity(vector) for vector in vectors]
    summed = context.all_reduce(tf.distribute.ReduceOp.SUM, vectors)
    return [tf.cast(vector, tf.float32) for vector in summed]


def _halved() -> bool:
    return os.environ.get(PRECISION, "exact") == "bfloat16"


def _sum_sparse(slices: list[Any]) -> list[Any]:
    if not slices:
        return []
    context = tf.distribute.get_replica_context()
    return [context.all_reduce(tf.distribute.ReduceOp.SUM, [one])[0] for one in slices]
