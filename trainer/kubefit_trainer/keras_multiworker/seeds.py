"""Seeds: the same for what must be equal on all workers, different for what must not.

Broken: dropout masks and in-model augmentation are the same on all workers, because the state of a
seed generator is broadcast from the chief when it is created; unseeded shuffles differ; a step that
calls `keras.random` without a seed raises "tf.function only supports singleton tf.Variables".
Cause: `SeedGenerator` in keras/src/random/seed_generator.py on mirrored variables; the generator of
those who name none is of one thread, and every trace of a step has threads of its own.
Upstream: https://github.com/keras-team/keras/issues/20585
Instead: inside a step the drawn seed is folded with the replica's number, while the state stays
the same everywhere, so that it can be saved by any worker. A step has the generator of the thread
that calls it, and so has a function that a program gives to `strategy.run` itself. Python, NumPy
and TensorFlow start from one common seed unless the program sets its own.
"""

import functools
import os
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state
from keras.src.random import seed_generator
from tensorflow.python.eager import context as tf_context

from kubefit_trainer.keras_multiworker import cluster
from kubefit_trainer.keras_multiworker import step as steps
from kubefit_trainer.keras_multiworker.errors import UnsupportedProgramError
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


_ahead: Any = None
"""A generator that was made before its first draw, with which it takes its number of Python's."""


def with_generator(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function for `strategy.run` that draws without a seed as the calling thread does.

    All workers must call it, where they trace a step: it may make a variable.
    """
    global _ahead
    name = seed_generator.GLOBAL_SEED_GENERATOR
    if global_state.get_global_attribute(name) is None:
        before = random.getstate()
        with tf.init_scope():
            _ahead = seed_generator.global_seed_generator()
        random.setstate(before)
    generator = global_state.get_global_attribute(name)

    @functools.wraps(function)
    def drawing(*args: Any) -> Any:
        global_state.set_global_attribute(name, generator)
        return function(*args)

    return drawing


def _own_replica() -> int | None:
    """Number of the replica that runs a program's own `strategy.run`, over all workers."""
    context = tf.distribute.get_replica_context()
    if context is None or not cluster.is_ours(context.strategy):
        return None
    first, _, _ = cluster.replicas(context.strategy)
    return first + cluster.local_replica_id()


def _of_calling_thread(original: Callable[[], Any]) -> Any:
    """The generator for draws without a seed in a program's own `strategy.run`.

    Raises:
        UnsupportedProgramError: it does not exist yet, and cannot be made in the midst of this.

    """
    name = seed_generator.GLOBAL_SEED_GENERATOR

    def make(strategy: Any) -> Any:
        with tf.init_scope():
            return original()

    try:
        made = tf.distribute.get_replica_context().merge_call(make)
    except RuntimeError as error:
        raise UnsupportedProgramError(
            "keras.random draws without a seed in a tf.function within strategy.run, where its"
            " generator cannot be made: make a keras.random.SeedGenerator before, and give it as"
            " seed"
        ) from error
    global_state.set_global_attribute(name, made)
    return made


def _apply() -> None:
    original = seed_generator.SeedGenerator.next
    of_thread = seed_generator.global_seed_generator

    def global_seed_generator() -> Any:
        known = global_state.get_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR)
        if known is None and steps.current() is None and _own_replica() is not None:
            return _of_calling_thread(of_thread)
        return of_thread()

    def next_seed(self: Any, ordered: bool = True) -> Any:
        global _ahead
        if self is _ahead:
            seed_generator.make_default_seed()
            _ahead = None
        seed = original(self, ordered)
        step = steps.current()
        replica = _own_replica() if step is None else step.replica
        if not replica:
            return seed
        return seed + tf.constant([_STRIDE * replica % 2**31, 0], seed.dtype)

    seed_generator.SeedGenerator.next = next_seed
    seed_generator.global_seed_generator = global_seed_generator


PATCH = Patch(
    name="seeds",
    targets=(
        Target(owner=seed_generator.SeedGenerator, name="next", parameters=("self", "ordered")),
        Target(owner=seed_generator, name="global_seed_generator", parameters=()),
    ),
    apply=_apply,
)
