"""The gradient exchange: one weighted mean over all replicas, before anything else is decided.

Every replica hands in the gradients of its own mean loss and the number of rows they come from.
The result is sum(rows * gradient) / sum(rows), the gradient of the mean over the global batch,
whether the batch divides evenly or not. Finite checks, clipping, accumulation and the update then
all see the same global gradients, and no second collective follows.
"""

import os
from typing import Any

import tensorflow as tf

CHUNK_BYTES = "KERAS_MULTIWORKER_CHUNK_BYTES"
"""Environment variable: bytes of one collective. 2 to 4 MB suit gRPC rings on CPU hosts."""
PRECISION = "KERAS_MULTIWORKER_EXCHANGE"
"""Environment variable: `exact` (default) or `bfloat16`, which halves the traffic."""

_DEFAULT_CHUNK = 4 << 20


def weighted_mean(gradients: list[Any], rows: Any) -> list[Any]:
    """Mean of each gradient over all replicas, weighted by rows.

    Args:
        gradients: dense tensors or IndexedSlices, the same list on every replica; call it in
            replica context.
        rows: float32 scalar, rows behind this replica's gradients; 0 makes them count for nothing,
            even where they are not finite.

    Returns:
        The global gradients in the same order, shapes and dtypes.

    """
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return gradients
    dense = [_weigh(g, rows) for g in gradients if not isinstance(g, tf.IndexedSlices)]
    sums, total = _sum_dense(dense, rows)
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
    sums, _ = _sum_dense(dense, tf.ones(()))
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


def _sum_dense(values: list[Any], rows: Any) -> tuple[list[Any], Any]:
    """Sums float32 tensors and the scalar `rows`, which rides in the first chunk."""
    chunks, layout = _pack([tf.reshape(rows, [1]), *values])
    reduced = _all_reduce(chunks)
    summed = _unpack(reduced, layout)
    return [
        tf.reshape(flat, tf.shape(value)) for flat, value in zip(summed[1:], values, strict=True)
    ], summed[0][0]


def _all_reduce(chunks: list[Any]) -> list[Any]:
    context = tf.distribute.get_replica_context()
    # bytes_per_pack=1 keeps TensorFlow from packing again what is packed already.
    options = tf.distribute.experimental.CommunicationOptions(bytes_per_pack=1)
    if not _halved():
        return list(context.all_reduce(tf.distribute.ReduceOp.SUM, chunks, options))
    # The row count stays exact: it travels alone in the first chunk.
    head, *rest = chunks
    halves = [tf.cast(chunk, tf.bfloat16) for chunk in rest]
    reduced = context.all_reduce(tf.distribute.ReduceOp.SUM, [head, *halves], options)
    return [reduced[0], *(tf.cast(chunk, tf.float32) for chunk in reduced[1:])]


def _pack(values: list[Any]) -> tuple[list[Any], list[list[tuple[int, int]]]]:
    """Cuts large tensors and joins small ones into 1-D chunks of about the wanted size.

    The pieces of a large tensor start at multiples of the chunk size, where TensorFlow slices
    without copying.

    Returns:
        The chunks, and per value the (chunk, size) pieces it consists of.

    """
    limit = max(1, int(os.environ.get(CHUNK_BYTES, _DEFAULT_CHUNK)) // 4)
    chunks: list[list[Any]] = [[]]
    room = limit
    layout: list[list[tuple[int, int]]] = []
    opened = 0
    for number, value in enumerate(values):
        flat = tf.reshape(value, [-1])
        size = flat.shape.num_elements()
        if size >= limit:
            pieces = []
            for start in range(0, size, limit):
                take = min(limit, size - start)
                chunks.append([flat if take == size else flat[start : start + take]])
                pieces.append((len(chunks) - 1, take))
            layout.append(pieces)
            continue
        # The first value, the row count, travels alone when the rest loses precision.
        if size > room or (number == 1 and _halved()):
            chunks.append([])
            opened, room = len(chunks) - 1, limit
        chunks[opened].append(flat)
        layout.append([(opened, size)])
        room -= size
    return [parts[0] if len(parts) == 1 else tf.concat(parts, 0) for parts in chunks], layout


def _halved() -> bool:
    return os.environ.get(PRECISION, "exact") == "bfloat16"


def _unpack(chunks: list[Any], layout: list[list[tuple[int, int]]]) -> list[Any]:
    sizes: list[list[int]] = [[] for _ in chunks]
    for pieces in layout:
        for chunk, size in pieces:
            sizes[chunk].append(size)
    split = [
        tf.split(chunk, parts) if len(parts) > 1 else [chunk]
        for chunk, parts in zip(chunks, sizes, strict=True)
    ]
    values = []
    for pieces in layout:
        parts = [split[chunk].pop(0) for chunk, _ in pieces]
        values.append(parts[0] if len(parts) == 1 else tf.concat(parts, 0))
    return values


def _sum_sparse(slices: list[Any]) -> list[Any]:
    if not slices:
        return []
    context = tf.distribute.get_replica_context()
    return [context.all_reduce(tf.distribute.ReduceOp.SUM, [one])[0] for one in slices]
