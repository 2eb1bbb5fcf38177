"""Steps that draw without a seed take of Python's random numbers what they take on one process."""

import random

import keras
import pytest

from kubefit_trainer.keras_multiworker import seeds


@pytest.fixture(autouse=True)
def repaired(monkeypatch):
    monkeypatch.setattr(
        keras.src.random.seed_generator.SeedGenerator,
        "next",
        keras.src.random.seed_generator.SeedGenerator.next,
    )
    keras.utils.clear_session()
    seeds._apply()
    keras.utils.set_random_seed(7)


def test_a_step_that_draws_nothing_leaves_them_as_they_are():
    before = random.getstate()
    seeds.with_generator(lambda: None)()
    assert random.getstate() == before


def test_a_step_that_draws_takes_one_as_the_first_draw_outside_of_a_step_does():
    outside = keras.random.normal((3,))
    after = random.random()

    keras.utils.clear_session()
    keras.utils.set_random_seed(7)
    inside = seeds.with_generator(lambda: keras.random.normal((3,)))()
    assert random.random() == after
    assert inside.numpy().tolist() == outside.numpy().tolist()
