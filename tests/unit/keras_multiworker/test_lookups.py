"""Rows of a table that are looked up for any data are told from those that the data say."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kubefit_trainer.keras_multiworker import lookups

ROWS, WIDTH, LENGTH = 20, 3, 6
FAR = tf.constant(np.arange(ROWS * 20) % ROWS)

LOOKUPS = {
    "counted": (lambda data: tf.range(LENGTH), True),
    "counted as the data are long": (lambda data: tf.range(tf.shape(data)[1]), True),
    "made before the step": (lambda data: FAR, True),
    "counted for every sample": (
        lambda data: tf.tile(tf.range(LENGTH)[None], [tf.shape(data)[0], 1]),
        False,
    ),
    "counted for a known number of samples": (
        lambda data: tf.tile(tf.range(LENGTH)[None], [4, 1]),
        False,
    ),
    "distances": (lambda data: tf.range(LENGTH)[:, None] - tf.range(LENGTH) + LENGTH, True),
    "as many as there are samples": (lambda data: tf.range(tf.shape(data)[0]), False),
    "spread over the data": (lambda data: tf.broadcast_to(tf.range(LENGTH), tf.shape(data)), False),
    "the last axis of the data": (lambda data: tf.range(tf.shape(data)[-1]), True),
    "of the data": (lambda data: data, False),
    "computed of the data": (lambda data: tf.reshape(data + 1, [-1]) // 2, False),
    "random": (lambda data: tf.random.uniform((LENGTH,), 0, ROWS, tf.int32), False),
}


def gradient_of(indices, table):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.gather(table.read_value(), indices) ** 2)
    return tape.gradient(loss, table)


@pytest.mark.parametrize("name", LOOKUPS)
@pytest.mark.parametrize("nested", [False, True], ids=["flat", "in a loop"])
def test_rows_are_shared_only_if_the_data_do_not_say_them(name, nested):
    indices_of, shared = LOOKUPS[name]
    found = []

    @tf.function(autograph=False)
    def step(data):
        def body(done):
            found.append(lookups.is_shared(tf.identity(indices_of(data))))
            return done + 1

        return tf.while_loop(lambda done: done < 2, body, [0]) if nested else body(0)

    step.get_concrete_function(tf.TensorSpec((None, LENGTH), tf.int32))
    assert set(found) == {shared}


def sent_of(indices_of, data, table):
    """What is exchanged of the gradient, and the gradient made of it again."""
    found = []

    @tf.function(autograph=False)
    def step(given):
        gradient = gradient_of(indices_of(given), table)
        found.append((gradient, lookups.sent(gradient, table.shape)))
        return found[-1][1].value

    step.get_concrete_function(data)
    return found[-1]


@pytest.mark.parametrize("name", [name for name in LOOKUPS if name != "random"])
def test_the_layer_of_keras_looks_rows_up_as_it_is_told(name):
    indices_of, shared = LOOKUPS[name]
    layer = keras.layers.Embedding(ROWS, WIDTH)
    layer.build(())
    found = []

    @tf.function(autograph=False)
    def step(data):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(indices_of(data)) ** 2)
        gradient = tape.gradient(loss, layer.embeddings.value)
        found.append(lookups.is_shared(gradient.indices))

    step.get_concrete_function(tf.TensorSpec((None, LENGTH), tf.int32))
    assert set(found) == {shared}


def test_entries_that_all_workers_have_are_summed_one_by_one():
    table = tf.Variable(np.arange(ROWS * WIDTH, dtype="float32").reshape(ROWS, WIDTH))

    @tf.function(autograph=False)
    def step():
        gradient = gradient_of(tf.constant([0, 2, 2]), table)
        sent = lookups.sent(gradient, table.shape)
        # As if a second worker had the same.
        back = sent.back(2 * sent.value)
        return back.values, back.indices

    values, indices = step()
    assert indices.numpy().tolist() == [0, 2, 2]
    np.testing.assert_allclose(values, 4 * table.numpy()[[0, 2, 2]])


def test_rows_that_are_counted_to_an_unknown_length_are_sent_as_a_whole_table():
    table = tf.Variable(np.ones((ROWS, WIDTH), "float32"))
    data = tf.TensorSpec((None, None), tf.int32)
    _, sent = sent_of(lambda data: tf.range(tf.shape(data)[1]), data, table)
    assert sent.value.shape == table.shape
    whole = tf.ones((ROWS, WIDTH))
    assert sent.back(whole) is whole


@pytest.mark.parametrize(
    "indices_of",
    [
        lambda data: data,
        lambda data: tf.tile(tf.range(LENGTH)[None], [tf.shape(data)[0], 1]),
        lambda data: tf.concat([tf.range(tf.shape(data)[1])] * 2, 0),
    ],
    ids=["said by the data", "for every sample", "twice to an unknown length"],
)
def test_other_entries_stay_as_they_are(indices_of):
    table = tf.Variable(np.ones((ROWS, WIDTH), "float32"))
    data = tf.TensorSpec((None, None), tf.int32)
    gradient, sent = sent_of(indices_of, data, table)
    assert sent.value is gradient
    assert sent.back(gradient) is gradient


def test_eager_gradients_stay_as_they_are():
    table = tf.Variable(np.ones((ROWS, WIDTH), "float32"))
    gradient = gradient_of(tf.constant([1, 2]), table)
    assert lookups.sent(gradient, table.shape).value is gradient
