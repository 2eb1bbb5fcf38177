"""The same programs with the fused kernels and with what Keras composes."""

import os

import keras
import numpy as np
from scenarios_basic import arrays, dense, outcome

OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.1),
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "nesterov": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.01),
    "amsgrad": lambda: keras.optimizers.Adam(0.01, amsgrad=True),
    "adamw": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
    "clipped": lambda: keras.optimizers.Adam(0.01, global_clipnorm=0.1),
    "schedule": lambda: keras.optimizers.Adam(
        keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    ),
    "adamax": lambda: keras.optimizers.Adamax(0.01),
    "adadelta": lambda: keras.optimizers.Adadelta(1.0),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.01),
    "rmsprop_momentum": lambda: keras.optimizers.RMSprop(0.01, momentum=0.9),
    "rmsprop_centered": lambda: keras.optimizers.RMSprop(0.01, momentum=0.9, centered=True),
    "adagrad": lambda: keras.optimizers.Adagrad(0.1),
    "nadam": lambda: keras.optimizers.Nadam(0.01),
    "ftrl": lambda: keras.optimizers.Ftrl(0.1),
    "lion": lambda: keras.optimizers.Lion(0.01),
    "adafactor": lambda: keras.optimizers.Adafactor(0.01),
    "lamb": lambda: keras.optimizers.Lamb(0.01),
}


def both(run):
    results = {}
    for name, value in (("fused", "1"), ("composed", "0")):
        os.environ["KERAS_MULTIWORKER_FUSED"] = value
        results[name] = run()
    os.environ["KERAS_MULTIWORKER_FUSED"] = "1"
    return results


def scenario_optimizers(directory):
    x, y = arrays(24)

    def run(make):
        model = dense(make())
        history = model.fit(x, y, batch_size=8, epochs=2, verbose=0, shuffle=False)
        return outcome(model, history)

    return {name: both(lambda make=make: run(make)) for name, make in OPTIMIZERS.items()}


def norm_model(shape, **arguments):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Dense(5),
            keras.layers.BatchNormalization(momentum=0.7, **arguments),
            keras.layers.Activation("relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.SGD(0.05), "mse")
    return model


def scenario_batch_norm(directory):
    rng = np.random.default_rng(0)

    def run(shape, **arguments):
        x = (rng_of(shape) * 3 + 1).astype("float32")
        model = norm_model(shape, **arguments)
        history = model.fit(x, x.reshape(12, -1)[:, :1], 5, 3, verbose=0, shuffle=False)
        return outcome(model, history, predicted=model.predict(x, verbose=0))

    def rng_of(shape):
        return np.random.default_rng(8).normal(size=(12, *shape))

    del rng
    return {
        "features": both(lambda: run((4,))),
        "sequence": both(lambda: run((6, 4))),
        "image": both(lambda: run((3, 3, 4))),
        "volume": both(lambda: run((2, 2, 2, 4))),
        "no_scale": both(lambda: run((4, 4, 2), scale=False)),
        "no_center": both(lambda: run((4, 4, 2), center=False)),
        "first_axis": both(lambda: run((4, 4, 2), axis=1)),
        "frozen": both(lambda: run((3, 3, 4), trainable=False)),
    }
