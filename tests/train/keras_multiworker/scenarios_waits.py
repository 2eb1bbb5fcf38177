"""Training on data that come slowly on worker 1 alone."""

import time
from dataclasses import asdict

import tensorflow as tf
from scenarios_basic import arrays, dense

from kubefit_trainer import keras_multiworker
from kubefit_trainer.keras_multiworker import waits

STEPS = 12
SLEEP_SECONDS = 0.1
"""Of each step; the test knows the sum."""


def slow_batches(*, known: bool):
    """Batches that worker 1 waits for, be their number known or not."""
    pause = SLEEP_SECONDS if keras_multiworker.rank() == 1 else 0.0

    def paused(*batch):
        time.sleep(pause)
        return batch

    data = tf.data.Dataset.from_tensor_slices(arrays(STEPS * 8)).batch(8, drop_remainder=True)
    spec = data.element_spec
    data = data.map(lambda *batch: tf.numpy_function(paused, batch, [s.dtype for s in spec]))
    data = data.map(
        lambda x, y: (tf.ensure_shape(x, spec[0].shape), tf.ensure_shape(y, spec[1].shape))
    )
    return data if known else data.filter(lambda x, y: True)


def waited(data, **arguments):
    model = dense()
    model.compile("sgd", "sparse_categorical_crossentropy", **arguments)
    model.fit(data.take(1), verbose=0)
    before, began = asdict(waits.total), time.perf_counter()
    model.fit(data, verbose=0)
    seconds = time.perf_counter() - began
    return {name: value - before[name] for name, value in asdict(waits.total).items()} | {
        "seconds": seconds
    }


def scenario_known(directory):
    return waited(slow_batches(known=True))


def scenario_unknown(directory):
    return waited(slow_batches(known=False))


def scenario_several_steps_per_execution(directory):
    return waited(slow_batches(known=True), steps_per_execution=4)


def scenario_several_unknown_steps_per_execution(directory):
    return waited(slow_batches(known=False), steps_per_execution=4)
