"""What a program draws after its random numbers are restored is what it would have drawn."""

import json
import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from kubefit_trainer.checkpoints import random_state


def draw() -> list[float]:
    return [
        random.random(),
        random.gauss(0, 1),
        float(np.random.normal()),
        float(keras.random.uniform([])),
        float(tf.random.uniform([])),
        float(tf.random.get_global_generator().uniform([])),
    ]


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(1)
    tf.random.set_global_generator(tf.random.Generator.from_seed(1))
    yield
    keras.utils.set_random_seed(0)


def test_every_generator_goes_on_where_it_was() -> None:
    draw()
    state = json.loads(json.dumps(random_state.capture()))
    expected = draw()
    keras.utils.set_random_seed(2)
    tf.random.set_global_generator(tf.random.Generator.from_seed(2))
    random_state.restore(state)
    assert draw() == expected


def test_what_nobody_has_drawn_from_is_not_made() -> None:
    tf.random.set_global_generator(None)
    state = random_state.capture()
    assert state.keys() == {"python", "numpy", "tensorflow"}
