"""Shares of a global batch: which rows a replica gets, and what travels with them.

Row i of a global batch belongs to replica i % replicas. A share is `(data, note)`; the note is a
float32 vector: rows of the share (0 where one row was padded in), `SIGNS` numbers +1 or -1, a
fingerprint of the global batch (if all replicas saw the same one, each sums to plus or minus their
number), and where it is known the rows of the global batch.
"""

import zlib
from typing import Any

import numpy as np
import tensorflow as tf

SIGNS = 24
_SAMPLED = 64
"""Values of a row that enter the fingerprint."""


def leaves(data: Any) -> list[Any]:
    """The tensors of a nested structure; sparse and ragged ones whole, None left out."""
    return [leaf for leaf in tf.nest.flatten(data) if leaf is not None]


def row_count(data: Any) -> Any:
    """Rows of a batch as an int32 scalar: the first dimension of its first batched tensor."""
    for leaf in leaves(data):
        if isinstance(leaf, tf.SparseTensor):
            return tf.cast(leaf.dense_shape[0], tf.int32)
        if isinstance(leaf, tf.RaggedTensor):
            return tf.cast(leaf.nrows(), tf.int32)
        if leaf.shape.rank != 0:
            return tf.shape(leaf)[0]
    return tf.ones((), tf.int32)


def share_of(data: Any, replica: int, replicas: int) -> tuple[Any, Any]:
    """Share of one replica in a global batch that every worker has whole."""
    total = row_count(data)
    rows = tf.nest.map_structure(lambda leaf: _rows(leaf, replica, replicas), data)
    count = tf.maximum(0, (total - replica + replicas - 1) // replicas)
    return pad(rows, count), note(count, _signs(data), total)


def note(rows: Any, signs: Any, total: Any = None) -> Any:
    """The vector that travels with a share."""
    parts = [[_float(rows)], signs] + ([] if total is None else [[_float(total)]])
    return tf.concat(parts, 0)


def rows_of(note: Any) -> Any:
    """Rows of the share."""
    return note[0]


def signs_of(note: Any) -> Any:
    """Fingerprint of the global batch."""
    return note[1 : 1 + SIGNS]


def total_of(note: Any) -> Any:
    """Rows of the global batch, or None where only the sum over the shares tells."""
    return note[1 + SIGNS] if note.shape[0] == 2 + SIGNS else None


def local_share(data: Any) -> tuple[Any, Any]:
    """Share of a replica whose program cut its rows itself."""
    count = row_count(data)
    return pad(data, count), note(count, tf.ones(SIGNS))


def empty_share(spec: Any) -> tuple[Any, Any]:
    """Share with no rows, of the structure that `spec` describes: one row of zeros, weight 0."""
    return tf.nest.map_structure(_zeros, spec), note(0, tf.ones(SIGNS))


def pad(data: Any, count: Any) -> Any:
    """One row of zeros in place of none, so that no layer divides by zero."""
    if any(
        isinstance(leaf, tf.Tensor) and leaf.shape.rank and (leaf.shape[0] or 0) > 0
        for leaf in leaves(data)
    ):
        return data
    return tf.nest.map_structure(lambda leaf: _padded(leaf, count), data)


def _float(value: Any) -> Any:
    return tf.cast(value, tf.float32)


def _rows(leaf: Any, replica: int, replicas: int) -> Any:
    if leaf is None or replicas == 1:
        return leaf
    if isinstance(leaf, tf.SparseTensor):
        keep = tf.equal(leaf.indices[:, 0] % replicas, replica)
        indices = tf.boolean_mask(leaf.indices, keep)
        indices = tf.concat([indices[:, :1] // replicas, indices[:, 1:]], 1)
        rows = (leaf.dense_shape[0] - replica + replicas - 1) // replicas
        shape = tf.concat([[tf.maximum(rows, 0)], leaf.dense_shape[1:]], 0)
        return tf.SparseTensor(indices, tf.boolean_mask(leaf.values, keep), shape)
    if not isinstance(leaf, tf.RaggedTensor) and leaf.shape.rank == 0:
        return leaf
    return leaf[replica::replicas]


def _padded(leaf: Any, count: Any) -> Any:
    if leaf is None or (isinstance(leaf, tf.Tensor) and leaf.shape.rank == 0):
        return leaf
    missing = tf.maximum(0, 1 - count)
    if isinstance(leaf, tf.SparseTensor):
        rows = leaf.dense_shape[:1] + tf.cast(missing, tf.int64)
        return tf.SparseTensor(
            leaf.indices, leaf.values, tf.concat([rows, leaf.dense_shape[1:]], 0)
        )
    if isinstance(leaf, tf.RaggedTensor):
        extra = tf.fill([missing], leaf.row_splits[-1])
        splits = tf.concat([leaf.row_splits, extra], 0)
        return tf.RaggedTensor.from_row_splits(leaf.values, splits, validate=False)

    def with_zeros() -> Any:
        shape = tf.concat([[1], tf.shape(leaf)[1:]], 0)
        return tf.fill(shape, tf.constant("" if leaf.dtype == tf.string else 0, leaf.dtype))

    padded = tf.cond(missing > 0, with_zeros, lambda: leaf)
    padded.set_shape([None, *leaf.shape[1:]])
    return padded


def _zeros(spec: Any) -> Any:
    if isinstance(spec, tf.SparseTensorSpec):
        shape = [1, *(side or 1 for side in spec.shape[1:])]
        indices = tf.zeros([0, len(shape)], tf.int64)
        return tf.SparseTensor(indices, tf.zeros([0], spec.dtype), shape)
    if isinstance(spec, tf.RaggedTensorSpec):
        inner = [side for side in spec.shape[2:] if side is not None]
        values = tf.zeros([0, *inner], spec.dtype)
        return tf.RaggedTensor.from_row_splits(values, tf.constant([0, 0], spec.row_splits_dtype))
    if spec.shape.rank == 0:
        return tf.zeros([], spec.dtype)
    return tf.zeros([spec.shape[0] or 1, *(side or 1 for side in spec.shape[1:])], spec.dtype)


def _signs(data: Any) -> Any:
    """Fingerprint of a batch: signs from a hash of a sample of every row of every tensor."""
    words = []
    for leaf in leaves(data):
        if isinstance(leaf, (tf.SparseTensor, tf.RaggedTensor)):
            leaf = leaf.values if isinstance(leaf, tf.SparseTensor) else leaf.flat_values
        if leaf.dtype == tf.string:
            words.append(
                tf.strings.reduce_join(
                    tf.strings.as_string(
                        tf.strings.to_hash_bucket_fast(tf.reshape(leaf, [-1]), 1 << 30)
                    )
                )
            )
            continue
        words.append(tf.io.serialize_tensor(_sample(leaf)))
    bucket = tf.strings.to_hash_bucket_fast(tf.strings.join(words), 1 << SIGNS)
    bits = tf.bitwise.bitwise_and(
        tf.bitwise.right_shift(bucket, tf.range(SIGNS, dtype=tf.int64)), tf.ones([], tf.int64)
    )
    return 1.0 - 2.0 * _float(bits)


def signs_of_arrays(data: Any) -> Any:
    """Fingerprint of arrays that are cut by index: of a sample of their rows."""
    sampled = []
    for leaf in leaves(data):
        shape = getattr(leaf, "shape", ())
        if not shape or not hasattr(leaf, "__array__"):
            continue
        rows = np.asarray(leaf[:: max(1, int(shape[0]) // _SAMPLED)])
        sampled.append(repr((tuple(int(side) for side in shape), str(rows.dtype))).encode())
        sampled.append(repr(rows.tolist()).encode() if rows.dtype.hasobject else rows.tobytes())
    bucket = zlib.crc32(b"".join(sampled))
    return tf.constant([1.0 - 2.0 * (bucket >> bit & 1) for bit in range(SIGNS)])


def _sample(leaf: Any) -> Any:
    if leaf.shape.rank is None or leaf.shape.rank < 2:
        return leaf
    width = tf.reduce_prod(tf.shape(leaf)[1:])
    flat = tf.reshape(leaf, [tf.shape(leaf)[0], width])
    return flat[:, :: tf.maximum(1, width // _SAMPLED)]
