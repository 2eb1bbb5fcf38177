"""Seeds: the same for what must be equal on all workers, different for what must not.

Broken: dropout masks and in-model augmentation are the same on all workers, because the state of a
seed generator is broadcast from the chief when it is created; unseeded shuffles differ.
Cause: `SeedGenerator` in keras/src/random/seed_generator.py on mirrored variables.
Upstream: https://github.com/keras-team/keras/issues/20585
Instead: inside a step the drawn seed is folded with the replica's number, while the state stays
the same everywhere, so that it can be saved by any worker. Python, NumPy and TensorFlow start from
one common seed unless the program sets its own.
"""

import os
import random
from typing import Any

import numpy as np
import tensorflow as tf
from keras.src.random import seed_generator
from tensorflow.python.eager import context as tf_context

from kubefit_trainer.keras_multiworker import step as steps
from kubefit_trainer.keras_multiworker.patching import Patch, Target

SEED = "KERAS_MULTIWORKER_SEED"
"""Environment variable: the common seed of programs that set none; 0 by default."""

_STRIDE = 0x3779B97
"""Odd, so that different replicas never share a seed."""

_drawn = 0


def seed_everything() -> None:
    """Gives all workers the same start of Python's, NumPy's and TensorFlow's random numbers."""
    seed = int(os.environ.get(SEED, "0"))
    random.seed(seed)
    np.random.seed(seed % 2**32)
    tf.random.set_seed(seed)


def next_data_seed() -> int:
    """Seed for the order of the next shuffled arrays, from TensorFlow's global seed.

    The n-th data set of a program gets the n-th seed, whatever other random numbers were drawn.
    """
    global _drawn
    _drawn += 1
    base = tf_context.global_seed() or 0
    return int((base * 1_000_003 + _drawn) % 2**31)


def _apply() -> None:
    original = seed_generator.SeedGenerator.next

    def next_seed(self: Any, ordered: bool = True) -> Any:
        seed = original(self, ordered)
        step = steps.current()
        if step is None or step.replica == 0:
            return seed
        return seed + tf.constant([_STRIDE * step.replica % 2**31, 0], seed.dtype)

    seed_generator.SeedGenerator.next = next_seed


PATCH = Patch(
    name="seeds",
    targets=(
        Target(owner=seed_generator.SeedGenerator, name="next", parameters=("self", "ordered")),
    ),
    apply=_apply,
)
