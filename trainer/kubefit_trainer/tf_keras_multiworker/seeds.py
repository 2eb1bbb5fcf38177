"""One seed of all workers, so that unseeded shuffles agree; and masks that differ all the same.

Unseeded, every worker shuffles in its own order and takes its share of that: samples are seen
twice or never. With one seed of all, layers like Dropout would draw the same masks on all workers;
so the rank goes into what is drawn within a step. The chief draws what one process draws.
"""

import itertools
from typing import Any

import tensorflow as tf
import tf_keras
from tf_keras.src import backend

from kubefit_trainer.tf_keras_multiworker import cluster

_SEED = 0
_STRIDE = 0x3779B97
_LARGEST = 2**31 - 1


def install() -> None:
    """Seeds Python, NumPy, TensorFlow and tf_keras; a program may do it again with its own."""
    tf_keras.utils.set_random_seed(_SEED)
    drawn = itertools.count()
    original = backend.RandomGenerator.make_legacy_seed

    def make_legacy_seed(self: Any) -> int | None:
        seed: int | None = original(self)
        if cluster.rank() == 0 or tf.distribute.in_cross_replica_context():
            return seed
        base = next(drawn) if seed is None else seed
        return (base + _STRIDE * cluster.rank()) % _LARGEST

    backend.RandomGenerator.make_legacy_seed = make_legacy_seed
