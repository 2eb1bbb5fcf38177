"""Decoded images kept in memory: each is decoded when it is first asked for, then never again."""

import threading
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


class PixelCache:
    """Pixels by sample id; memory is taken as it fills."""

    def __init__(self, samples: int, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._pixels = np.empty((samples, *shape), np.uint8)
        self._known = np.zeros(samples, np.bool_)
        self._lock = threading.Lock()

    def wrap(self, decode: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[tf.Tensor], tf.Tensor]:
        """`decode` (ids to uint8 pixels) that is only called for images not seen before."""

        def load(ids: tf.Tensor) -> tf.Tensor:
            pixels, known = tf.numpy_function(self._recall, [ids], (tf.uint8, tf.bool))
            missing = tf.where(tf.logical_not(known))
            fresh = decode(tf.gather_nd(ids, missing))
            kept = tf.numpy_function(self._keep, [tf.gather_nd(ids, missing), fresh], tf.bool)
            with tf.control_dependencies([kept]):
                whole = tf.tensor_scatter_nd_update(pixels, missing, fresh)
            return tf.ensure_shape(whole, (None, *self._shape))

        return load

    def _recall(self, ids: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        with self._lock:
            return self._pixels[ids], self._known[ids]

    def _keep(self, ids: NDArray[np.int64], pixels: NDArray[np.uint8]) -> np.bool_:
        with self._lock:
            self._pixels[ids] = pixels
            self._known[ids] = True
        return np.True_
