"""The number that is explained: what a network gives before its softmax or sigmoid.

A probability near 1 hardly changes with the image, what it is made of does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Directions = NDArray[np.float32]
"""Of each image, how much each output counts: (images, units)."""


@contextmanager
def before_activation(model: keras.Model) -> Iterator[None]:
    """The last layer gives its sums as they are, as long as the model is run eagerly."""
    last = model.layers[-1]
    activation = getattr(last, "activation", None)
    if activation is None:
        yield
        return
    last.activation = keras.activations.linear
    try:
        yield
    finally:
        last.activation = activation


def of(outputs: Any, directions: Directions) -> Any:
    """One number for each image: outputs (images, units) along the directions."""
    return tf.reduce_sum(tf.cast(outputs, tf.float32) * tf.constant(directions), axis=1)
