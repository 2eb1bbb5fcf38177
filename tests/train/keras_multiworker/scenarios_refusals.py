"""What cannot be right on many workers, and programs that differ between them: all are refused."""

import os
import threading

import keras
import tensorflow as tf
from scenarios_basic import CLASSES, FEATURES, arrays, dense
from scenarios_inputs import rank, refusal

from kubefit_trainer import keras_multiworker
from kubefit_trainer.keras_multiworker import patching, versions

LAYERS = keras.layers


def structured(activation="tanh", joined=(0, 1)):
    keras.utils.set_random_seed(3)
    if rank() == 1:
        # A name that another worker does not have is no difference.
        with keras_multiworker.outside_strategy():
            LAYERS.Dense(1)
    inputs = keras.Input((FEATURES,))
    parts = [LAYERS.Dense(FEATURES, activation=activation)(inputs), inputs]
    hidden = LAYERS.Subtract()([parts[i] for i in joined])
    hidden = LAYERS.Dropout(0.1, seed=rank())(hidden)
    model = keras.Model(inputs, LAYERS.Dense(CLASSES, activation="softmax")(hidden))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


class Late(keras.Model):
    """Built by its first batch, so that other data would mean other variables."""

    def __init__(self):
        super().__init__()
        self.out = LAYERS.Dense(1)

    def call(self, inputs):
        return self.out(inputs)


def late():
    model = Late()
    model.compile("sgd", "mse")
    return model


def scenario_programs(directory):
    x, y = arrays()
    last = rank() == 1
    quiet = {"verbose": 0, "batch_size": 10}

    def version():
        installed = keras.__version__
        keras.__version__ = "3.14.0" if last else installed
        try:
            dense().fit(x, y, **quiet)
        finally:
            keras.__version__ = installed

    def verbs():
        model = dense()
        model.predict(x, verbose=0) if last else model.evaluate(x, y, verbose=0)

    return {
        "same": refusal(lambda: structured().fit(x, y, **quiet)),
        "activation": refusal(
            lambda: structured(activation="relu" if last else "tanh").fit(x, y, **quiet)
        ),
        "connections": refusal(
            lambda: structured(joined=(1, 0) if last else (0, 1)).fit(x, y, **quiet)
        ),
        "structure": refusal(lambda: late().fit(x[:, :3] if last else x, y, **quiet)),
        "keys": refusal(lambda: late().fit((x, x) if last else x, y, **quiet)),
        "epochs": refusal(lambda: dense().fit(x, y, epochs=3 + last, **quiet)),
        "validation": refusal(
            lambda: dense().fit(x, y, validation_data=None if last else (x, y), **quiet)
        ),
        "version": refusal(version),
        "verbs": refusal(verbs),
        "optimizer": refusal(
            lambda: dense(keras.optimizers.SGD(0.1, 0.5 if last else 0.9)).fit(x, y, **quiet)
        ),
        "steps": refusal(lambda: dense().fit(x, y, 20 if last else 10, verbose=0)),
        "steps_per_execution": refusal(
            lambda: dense(steps_per_execution=1 + last).fit(x, y, **quiet)
        ),
    }


class Odd(keras.Model):
    """Predicts something else than dense rows."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def call(self, inputs):
        return inputs

    def predict_step(self, data):
        rows = data[0] if isinstance(data, tuple) else data
        if self.kind == "scalar":
            return tf.reduce_sum(rows)
        if self.kind == "ragged":
            return tf.RaggedTensor.from_tensor(rows)
        return tf.sparse.from_dense(rows)


def scenario_outputs(directory):
    x, _ = arrays()
    return {
        kind: refusal(lambda kind=kind: Odd(kind).predict(x, verbose=0))
        for kind in ("scalar", "ragged", "sparse")
    }


def scenario_outside(directory):
    """A model that a thread of the program makes, where no strategy is in scope."""
    x, y = arrays()
    made = []

    def elsewhere():
        made.append(refusal(lambda: dense().fit(x, y, verbose=0)))
        with keras_multiworker.outside_strategy():
            made.append(refusal(lambda: dense().fit(x, y, verbose=0)))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    return made


def scenario_versions(directory):
    """Pairs that are in no table, and a Keras in which something has moved."""
    moved = patching.Target(owner=keras.Model, name="fit", parameters=("self", "x"))
    gone = patching.Target(owner=keras.Model, name="fit_generator")
    results = {
        "listed": refusal(lambda: versions.check("3.14.9", "2.21.3")),
        "keras": refusal(lambda: versions.check("3.99.0", "2.21.0")),
        "tensorflow": refusal(lambda: versions.check("3.15.0", "2.16.1")),
        "moved": refusal(moved.check),
        "gone": refusal(gone.check),
    }
    os.environ[versions.OVERRIDE] = "1"
    results["overridden"] = refusal(lambda: versions.check("3.99.0", "2.21.0"))
    del os.environ[versions.OVERRIDE]
    return results
