"""What one training or evaluation step knows about its share of the global batch.

A step context is set in the thread of a replica while its step function is traced or run. The
losses, the gradient exchange, dropout and BatchNorm read it; outside of a step there is none, and
they do what Keras does.
"""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf


@dataclass(slots=True, kw_only=True)
class Step:
    """One replica's share of a step.

    `rows` and `total` are float32 scalars: rows of the local batch (0 where a row was only padded
    in) and of the global one. `replica` counts over all workers.
    """

    rows: Any
    replica: int
    replicas: int
    known_total: Any = None
    may_be_empty: bool = True
    scales_loss: bool = False
    """Whether the loss is weighted in `scale_loss`, which spares a pass over every gradient."""
    loss_scaled: bool = False
    _total: Any = field(default=None)

    @property
    def total(self) -> Any:
        """Rows of the global batch; one tiny collective per step where the data do not say it."""
        if self.known_total is not None:
            return self.known_total
        if self._total is None:
            self._total = all_sum([self.rows])[0]
        return self._total

    def mask_empty(self, value: Any) -> Any:
        """Zero in place of a value that comes from padding, even if it is not finite."""
        if not self.may_be_empty:
            return value
        return tf.math.multiply_no_nan(value, tf.cast(self.rows > 0, value.dtype))


_current = threading.local()


def current() -> Step | None:
    """The step of the replica whose thread this is, or None."""
    return getattr(_current, "step", None)


@contextlib.contextmanager
def entered(step: Step) -> Iterator[Step]:
    """Makes `step` the current one of this thread."""
    before = current()
    _current.step = step
    try:
        yield step
    finally:
        _current.step = before


def all_sum(values: list[Any]) -> list[Any]:
    """Sums tensors over all replicas; call it in replica context, in the same order everywhere."""
    context = tf.distribute.get_replica_context()
    # identity puts a value on the replica's device, which names the group of the collective.
    values = [tf.identity(tf.stop_gradient(value)) for value in values]
    if len({value.dtype for value in values}) > 1:
        # TensorFlow joins what it is given at once to one tensor, which has one dtype.
        return [context.all_reduce(tf.distribute.ReduceOp.SUM, [value])[0] for value in values]
    return list(context.all_reduce(tf.distribute.ReduceOp.SUM, values))
