"""Handwritten digits, for the ways in which gradients travel; settings come by the environment."""

import keras
import numpy as np
from scenarios_basic import outcome
from sklearn.datasets import load_digits


def scenario_digits(directory):
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).reshape(-1, 8, 8, 1).astype("float32")
    order = np.random.default_rng(0).permutation(len(images))
    train, test = order[:1500], order[1500:]
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(512, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(images[train], labels[train], batch_size=50, epochs=6, verbose=0)
    tested = model.evaluate(images[test], labels[test], verbose=0, return_dict=True)
    return outcome(model, history, tested=tested)
