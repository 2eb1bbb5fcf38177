"""The gradient exchange: one weighted mean over all replicas, before anything else is decided.

Every replica hands in the gradients of its own mean loss and the number of rows they come from.
The result is sum(rows * gradient) / sum(rows), the gradient of the mean over the global batch,
whether the batch divides evenly or not. Finite checks, clipping, accumulation and the update then
all see the same global gradients, and no second collective follows.

Workers on CPUs sum over a ring of TCP connections of their own (`ring`): TensorFlow's collectives
copy every byte several times on its way through protocol buffers. GPUs use the collectives.
"""

import os
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
    for bucket in _buckets([value.shape.num_elements() for value in values]):
        for index, total in zip(bucket, _sum_bucket([values[i] for i in bucket]), strict=True):
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


def _sum_bucket(values: list[Any]) -> list[Any]:
    small = [i for i, value in enumerate(values) if 4 * value.shape.num_elements() <= _SMALL]
    large = [i for i in range(len(values)) if i not in small]
    flat = [tf.reshape(value, [-1]) for value in values]
    vectors = [flat[i] for i in large]
    if small:
        vectors.append(tf.concat([flat[i] for i in small], 0))
    summed = _sum_vectors(vectors)
    parts = {index: summed[place] for place, index in enumerate(large)}
    if small:
        split = tf.split(summed[-1], [flat[i].shape.num_elements() for i in small])
        parts.update(zip(small, split, strict=True))
    return [tf.reshape(parts[i], value.shape) for i, value in enumerate(values)]


def _sum_vectors(vectors: list[Any]) -> list[Any]:
    halves = _halved()
    ring = links.ring()
    if ring is None:
        return _sum_by_collectives(vectors, halves)

    def over_the_ring(*arrays: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
        return ring.all_sum(arrays, halves=halves)

    # Run eagerly, one result comes without its list.
    summed = tf.nest.flatten(tf.numpy_function(over_the_ring, vectors, [tf.float32] * len(vectors)))
    return [tf.ensure_shape(s, v.shape) for s, v in zip(summed, vectors, strict=True)]


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
