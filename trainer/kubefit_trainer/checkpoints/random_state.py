"""States of the random numbers that a program draws beside those of its layers.

What TensorFlow's operations have in themselves cannot be read: those that are traced into a
function, and eager ones that are given a seed.
"""

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
from keras.src.backend.common import global_state
from keras.src.random import seed_generator
from tensorflow.python.eager import context
from tensorflow.python.ops import stateful_random_ops

_PYTHON, _NUMPY, _KERAS, _TENSORFLOW, _GENERATOR = (
    "python",
    "numpy",
    "keras",
    "tensorflow",
    "tensorflow_generator",
)


def capture() -> dict[str, Any]:
    """States of the global generators of Python, NumPy, Keras and TensorFlow, as JSON."""
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    found: dict[str, Any] = {
        _PYTHON: _state_of(random),
        _NUMPY: [str(kind), np.asarray(keys).tolist(), int(position), int(has_gauss), cached],
    }
    seed = context.global_seed()
    if seed is not None:
        found[_TENSORFLOW] = [seed, _state_of(context.context()._rng)]
    keras = global_state.get_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR)
    if keras is not None:
        found[_KERAS] = _numbers(keras.state.value)
    if stateful_random_ops.global_generator is not None:
        found[_GENERATOR] = _numbers(stateful_random_ops.global_generator.state)
    return found


def restore(state: Mapping[str, Any]) -> None:
    """Gives all of them their state back."""
    if _KERAS in state:
        keras = seed_generator.global_seed_generator().state
        keras.assign(np.array(state[_KERAS], keras.dtype))
    if _GENERATOR in state:
        generator = stateful_random_ops.get_global_generator()
        generator.state.assign(np.array(state[_GENERATOR], generator.state.dtype.as_numpy_dtype))
    if _TENSORFLOW in state:
        seed, operations = state[_TENSORFLOW]
        if seed != context.global_seed():
            context.set_global_seed(seed)
        _set(context.context()._rng, operations)
    # Last: making a generator of Keras draws from that of Python.
    if _PYTHON in state:
        _set(random, state[_PYTHON])
    if _NUMPY in state:
        kind, keys, position, has_gauss, cached = state[_NUMPY]
        np.random.set_state((kind, np.array(keys, np.uint32), position, has_gauss, cached))


def _state_of(generator: Any) -> list[Any]:
    version, numbers, gauss = generator.getstate()
    return [version, list(numbers), gauss]


def _set(generator: Any, state: list[Any]) -> None:
    version, numbers, gauss = state
    generator.setstate((version, tuple(numbers), gauss))


def _numbers(value: Any) -> list[int]:
    local = value.values[0] if hasattr(value, "values") else value
    numbers: list[int] = np.asarray(local).tolist()
    return numbers
