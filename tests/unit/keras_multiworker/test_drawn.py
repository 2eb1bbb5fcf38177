"""The wait for an element is counted once, whatever else the same graph has waited for."""

import time

import pytest
import tensorflow as tf

from kubefit_trainer.keras_multiworker.waits import drawn

PAUSE = 0.2


def _paused(number):
    time.sleep(PAUSE)
    return number


@tf.function(autograph=False)
def _several_then_one(iterator, count):
    def body(done, waited):
        _, waited = drawn(iterator, 1, waited)
        return done + 1, waited

    start = (tf.constant(0), tf.zeros(()))
    _, waited = tf.while_loop(lambda done, waited: done < count, body, start)
    _, waited = drawn(iterator, 1, waited)
    return waited


@pytest.mark.parametrize("before", [0, 3])
def test_all_waits_together_are_no_longer_than_the_call(before: int) -> None:
    data = tf.data.Dataset.range(9).map(
        lambda number: tf.numpy_function(_paused, [number], "int64")
    )
    iterator = iter(data)
    began = time.perf_counter()
    waited = float(_several_then_one(iterator, tf.constant(before)))
    assert (before + 1) * PAUSE * 0.9 <= waited <= time.perf_counter() - began
