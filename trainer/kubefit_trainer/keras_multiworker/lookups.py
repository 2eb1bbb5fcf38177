"""Gradients of tables, by whether the data say which rows are looked up.

Broken: the gradient of an embedding of places (the rows 0, 1, 2, ... of a table, for every sample)
names each row once on one process, and once for every worker on several. Optimizers and clipping
square what they are given without adding up the entries of one row, so that the workers' parts
count as if they were of different samples.
Cause: keras/src/backend/tensorflow/sparse.py squares the values of IndexedSlices one by one, and
IndexedSlices of all replicas are joined, not summed.
Upstream: https://github.com/keras-team/keras/issues/20585
Instead: where rows are looked up that are the same for any data, every worker has the same entries,
and they are summed entry by entry, so that there are as many as on one process. Where the data say
the rows, or how often, entries are joined: one process too has an entry for each lookup.
"""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

_SAME_ROWS = frozenset({"Identity", "Cast", "Reshape", "ExpandDims", "Squeeze"})
"""Operations whose results name the rows that their first input names."""
_COMPUTED = frozenset(
    {"Const", "Range", "Transpose", "Pack", "ConcatV2", "StridedSlice", "GatherV2"}
    | {"Add", "AddV2", "Sub", "Mul", "Neg", "Abs", "FloorDiv", "FloorMod", "Minimum", "Maximum"}
    | {"Less", "LessEqual", "Greater", "GreaterEqual", "Equal", "NotEqual", "Select", "SelectV2"}
)
"""Operations that compute rows of others; none repeats them for every sample, as Tile does."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A gradient as it is exchanged: a tensor that is summed, or entries that are joined."""

    value: Any
    _given: Any = None
    """Whose entries the value has."""

    def back(self, summed: Any) -> Any:
        """The gradient again, of the sum over all replicas."""
        if self._given is None:
            return summed
        return tf.IndexedSlices(summed, self._given.indices, self._given.dense_shape)


def sent(gradient: Any, shape: Any) -> Sent:
    """How the gradient of a variable of that shape is exchanged; None stays None."""
    if not isinstance(gradient, tf.IndexedSlices) or not is_shared(gradient.indices):
        return Sent(gradient)
    if gradient.values.shape.is_fully_defined():
        return Sent(gradient.values, gradient)
    if not _counted(gradient.indices):
        return Sent(gradient)
    dense = tf.convert_to_tensor(gradient)
    dense.set_shape(shape)
    return Sent(dense)


def is_shared(indices: Any) -> bool:
    """Whether a tensor of a graph is computed of constants and lengths alone.

    False where that cannot be told: of eager tensors, of variables and of random numbers, and where
    rows are repeated, which may be for every sample. Workers have different numbers of those.
    """
    if not hasattr(indices, "graph"):
        return False
    pending, seen = [indices], set()
    while pending:
        operation = pending.pop().op
        if operation in seen or _is_length(operation):
            continue
        seen.add(operation)
        if operation.type == "Placeholder":
            given = _captured(operation)
            if given is None:
                return False
            if hasattr(given, "graph"):
                pending.append(given)
        elif operation.type in _SAME_ROWS:
            pending.append(operation.inputs[0])
        elif operation.type in _COMPUTED:
            pending.extend(operation.inputs)
        else:
            return False
    return True


def _is_length(operation: Any) -> bool:
    """Whether it is the length of one axis that is not the first, of which samples are counted."""
    if operation.type != "StridedSlice" or operation.inputs[0].op.type != "Shape":
        return False
    (measured,) = operation.inputs[0].op.inputs
    begin = tf.get_static_value(operation.inputs[1])
    if begin is None or begin.shape != (1,) or operation.get_attr("shrink_axis_mask") != 1:
        return False
    place = int(begin[0])
    if place < 0:
        if measured.shape.rank is None:
            return False
        place += measured.shape.rank
    return place > 0


def _counted(indices: Any) -> bool:
    """Whether it is a range, which names each row once."""
    operation = indices.op
    while operation.type in _SAME_ROWS:
        operation = operation.inputs[0].op
    return bool(operation.type == "Range")


def _captured(placeholder: Any) -> Any:
    """What a function has of its surroundings under that name; None for its arguments."""
    for outside, inside in getattr(placeholder.graph, "captures", ()):
        if inside.op is placeholder and outside.dtype not in (tf.resource, tf.variant):
            return outside
    return None
