"""Layers that draw random numbers or keep statistics."""

import keras
import numpy as np
import tensorflow as tf
from scenarios_basic import outcome

from kubefit_trainer import keras_multiworker

LAYERS = keras.layers


class Shows(LAYERS.Layer):
    """Keeps the first image that this worker sees in each of its first two steps."""

    def build(self, shape):
        self.images = self.add_weight(
            shape=(2, *shape[1:]), initializer="zeros", trainable=False, name="images"
        )
        self.step = self.add_weight(
            shape=(), initializer="zeros", trainable=False, dtype="int32", name="step"
        )

    def call(self, x, training=None):
        if training:
            row = tf.one_hot(tf.convert_to_tensor(self.step.value), 2)[:, None, None, None]
            self.images.assign(self.images + row * x[:1])
            self.step.assign(self.step + 1)
        return x


AUGMENTATIONS = {
    "flip": lambda: LAYERS.RandomFlip(),
    "rotation": lambda: LAYERS.RandomRotation(0.4),
    "zoom": lambda: LAYERS.RandomZoom(0.5),
    "translation": lambda: LAYERS.RandomTranslation(0.4, 0.4),
    "contrast": lambda: LAYERS.RandomContrast(0.9),
    "brightness": lambda: LAYERS.RandomBrightness(0.9, value_range=(0, 1)),
    "noise": lambda: LAYERS.GaussianNoise(0.5),
    "spatial_dropout": lambda: LAYERS.SpatialDropout2D(0.5),
}


def scenario_augmentation(directory):
    """Every worker is given the same image in every row; the masks alone make a difference."""
    image = np.random.default_rng(0).random((1, 6, 6, 16), "float32")
    x = np.repeat(image, 12, 0)
    results = {}
    for name, make in AUGMENTATIONS.items():
        runs = []
        for _ in range(2):
            keras.utils.set_random_seed(11)
            channels = 16 if name in ("noise", "spatial_dropout") else 3
            model = keras.Sequential(
                [keras.Input((6, 6, channels)), make(), shows := Shows(), LAYERS.Flatten()]
            )
            model.add(LAYERS.Dense(1))
            model.compile("sgd", "mse")
            model.fit(x[..., :channels], np.zeros(12), batch_size=6, epochs=1, verbose=0)
            runs.append(tf.convert_to_tensor(shows.images.value).numpy())
        results[name] = runs
    return results


def scenario_synchronized(directory):
    """A model of keras.applications, whose layers nobody could tell to be synchronized.

    In 64 bits and by steps of 0.00001, the first of which takes the loss from 1.8 to 1.1: with
    steps of 0.001 normalization of fifty layers over eleven rows multiplies every rounding error,
    that of gradients which travel as 32 bits too, a hundred times in each.
    """
    rng = np.random.default_rng(4)
    x = rng.normal(1.0, 2.0, (11, 32, 32, 3))
    y = rng.integers(0, 3, 11)
    keras.utils.set_random_seed(3)
    keras.config.set_dtype_policy("float64")
    base = keras.applications.MobileNetV2(
        (32, 32, 3), alpha=0.35, include_top=False, weights=None, pooling="avg"
    )
    model = keras.Sequential([base, LAYERS.Dense(3, activation="softmax")])
    keras.config.set_dtype_policy("float32")
    keras_multiworker.sync_batch_norm(model)
    model.compile(keras.optimizers.SGD(1e-5), "sparse_categorical_crossentropy")
    history = model.fit(x, y, batch_size=11, epochs=4, verbose=0, shuffle=False)
    evaluated = model.evaluate(x, y, verbose=0)
    return outcome(model, history, evaluated=evaluated)


def scenario_two_phases(directory):
    """As many steps after compiling again as before: the statistics have changed all the same."""
    x = np.random.default_rng(4).normal(1.0, 2.0, (16, 4)).astype("float32")
    keras.utils.set_random_seed(3)
    norm = LAYERS.BatchNormalization(momentum=0.5)
    model = keras.Sequential([keras.Input((4,)), norm, LAYERS.Dense(1)])
    statistics = []
    for _ in range(2):
        model.compile("sgd", "mse")
        model.fit(x, x[:, :1], batch_size=8, epochs=1, verbose=0)
        statistics.append(
            [
                tf.convert_to_tensor(norm.moving_mean.value).numpy(),
                tf.convert_to_tensor(norm.moving_variance.value).numpy(),
            ]
        )
    return statistics


def normalized(kind=keras.Sequential):
    """Sequences and features, some layers told by the program."""
    keras.utils.set_random_seed(3)
    model = kind(
        [
            keras.Input((5, 4)),
            LAYERS.Dense(6),
            LAYERS.BatchNormalization(momentum=0.5),
            LAYERS.Flatten(),
            LAYERS.BatchNormalization(momentum=0.5, synchronized=True),
            LAYERS.Dense(1),
        ]
    )
    keras_multiworker.sync_batch_norm(model)
    model.compile(keras.optimizers.SGD(0.05), "mse")
    return model


def sequences(rows=18):
    x = np.random.default_rng(4).normal(1.0, 2.0, (rows, 5, 4)).astype("float32")
    return x, x[:, 0, :1]


def scenario_synchronized_by_hand(directory):
    """The last rows are fewer than the workers."""
    model = normalized()
    history = model.fit(*sequences(), batch_size=8, epochs=3, verbose=0, shuffle=False)
    return outcome(model, history)


class OwnStep(keras.Sequential):
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables))
        return {"loss": loss}


def scenario_synchronized_in_own_step(directory):
    """A loss that the step does not scale, batches of 7 rows and one of 4."""
    model = normalized(OwnStep)
    history = model.fit(*sequences(), batch_size=7, epochs=3, verbose=0, shuffle=False)
    return outcome(model, history)


def scenario_synchronized_on_own_rows(directory):
    """Of every ten rows the program gives one to each other worker and the rest to the first."""
    x, y = sequences(20)

    def cut(context):
        others, rank = context.num_input_pipelines - 1, context.input_pipeline_id
        place = np.arange(20) % 10
        mine = place == 10 - rank if rank else place < 10 - others
        data = tf.data.Dataset.from_tensor_slices((x[mine], y[mine]))
        return data.batch(int(mine.sum()) // 2)

    model = normalized()
    data = tf.distribute.get_strategy().distribute_datasets_from_function(cut)
    return outcome(model, model.fit(data, epochs=3, verbose=0))
