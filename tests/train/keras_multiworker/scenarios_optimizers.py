"""Programs with everything that happens between a loss and a weight."""

import keras
import numpy as np
import tensorflow as tf
from scenarios_basic import CLASSES, FEATURES, arrays, dense, outcome

OPTIMIZERS = keras.optimizers


def fitted(model, batch_size=14, epochs=2, **arguments):
    x, y = arrays(46)
    history = model.fit(
        x, y, batch_size=batch_size, epochs=epochs, verbose=0, shuffle=False, **arguments
    )
    return outcome(model, history)


def scenario_clipping(directory):
    return [
        fitted(dense(OPTIMIZERS.SGD(1.0, **clip)))
        for clip in ({"clipnorm": 0.1}, {"global_clipnorm": 0.1}, {"clipvalue": 0.02})
    ]


def scenario_accumulation(directory):
    return fitted(dense(OPTIMIZERS.Adam(0.01, gradient_accumulation_steps=3)), epochs=3)


def scenario_ema(directory):
    overwrite = OPTIMIZERS.SGD(0.5, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3)
    plain = OPTIMIZERS.SGD(0.5, use_ema=True, ema_momentum=0.5)
    swapped = OPTIMIZERS.SGD(0.5, use_ema=True, ema_momentum=0.5)
    x, y = arrays(20)
    return [
        fitted(dense(overwrite)),
        fitted(dense(plain)),
        fitted(
            dense(swapped),
            callbacks=[keras.callbacks.SwapEMAWeights(swap_on_epoch=True)],
            validation_data=(x, y),
        ),
    ]


def scenario_weight_decay(directory):
    return [
        fitted(dense(OPTIMIZERS.AdamW(0.01, weight_decay=0.1))),
        fitted(dense(OPTIMIZERS.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01))),
    ]


def scenario_steps_per_execution(directory):
    """Four steps an epoch, three at a time."""
    return fitted(dense("adam", steps_per_execution=3))


def scenario_eager(directory):
    return fitted(dense("adam", run_eagerly=True), epochs=1)


def scenario_losses(directory):
    def scalar(y, p):
        return tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, p)) * 2.0

    results = [fitted(dense("sgd", loss=scalar))]
    total = keras.losses.SparseCategoricalCrossentropy(reduction="sum")
    results.append(fitted(dense(OPTIMIZERS.SGD(0.002), loss=total)))
    weighted = keras.losses.SparseCategoricalCrossentropy(reduction="mean_with_sample_weight")
    weights = np.linspace(0, 2, 46, dtype="float32")
    results.append(fitted(dense("sgd", loss=weighted), sample_weight=weights))
    results.append(fitted(dense("sgd"), sample_weight=weights))
    results.append(fitted(dense("sgd"), class_weight={0: 1.0, 1: 3.0, 2: 0.5}))
    return results


class Penalty(keras.layers.Layer):
    def call(self, x):
        self.add_loss(0.3 * keras.ops.mean(keras.ops.square(x)))
        return x


def scenario_added_losses(directory):
    keras.utils.set_random_seed(3)
    inputs = keras.Input((FEATURES,))
    hidden = keras.layers.Dense(8, kernel_regularizer=keras.regularizers.L2(0.1))(inputs)
    hidden = Penalty()(hidden)
    a = keras.layers.Dense(CLASSES, activation="softmax", name="a")(hidden)
    b = keras.layers.Dense(1, name="b")(hidden)
    model = keras.Model({"x": inputs}, {"a": a, "b": b})
    model.compile(
        "sgd",
        {"a": "sparse_categorical_crossentropy", "b": "mse"},
        loss_weights={"a": 0.3, "b": 2.0},
        metrics={"a": ["accuracy"]},
    )
    x, y = arrays(46)
    targets = {"a": y, "b": x[:, :1]}
    history = model.fit({"x": x}, targets, batch_size=14, epochs=2, verbose=0, shuffle=False)
    logs = {name: history.history[name] for name in ("loss", "a_accuracy")}
    weights = [np.array(weight) for weight in model.get_weights()]
    return {"weights": weights, "logs": logs}


def scenario_masks(directory):
    """Padding falls unevenly on the workers: the mean is over the valid entries of all of them."""
    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, 20, size=(46, 7))
    for row, length in enumerate(rng.integers(1, 8, size=46)):
        tokens[row, length:] = 0
    model = keras.Sequential(
        [
            keras.Input((7,), dtype="int32"),
            keras.layers.Embedding(20, 5, mask_zero=True),
            keras.layers.LSTM(6, return_sequences=True),
            keras.layers.Dense(20, activation="softmax"),
        ]
    )
    model.compile(OPTIMIZERS.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        tokens, np.roll(tokens, -1, 1), batch_size=14, epochs=2, verbose=0, shuffle=False
    )
    return outcome(model, history)


class Places(keras.layers.Layer):
    """Tokens and their places as vectors."""

    def __init__(self):
        super().__init__()
        self.tokens = keras.layers.Embedding(20, 5)
        self.places = keras.layers.Embedding(9, 5)
        self.repeated = keras.layers.Embedding(9, 5)
        self.everywhere = keras.layers.Embedding(3, 5)

    def call(self, inputs):
        samples, length = keras.ops.shape(inputs)
        counted = keras.ops.arange(length)
        for_each = keras.ops.tile(counted[None], (samples, 1))
        vectors = self.tokens(inputs) + self.places(counted) + self.repeated(for_each)
        return vectors + self.everywhere(counted % 3)


def scenario_places(directory):
    """Tables whose rows the data say or count, beside those whose rows are always the same."""
    tokens = np.random.default_rng(0).integers(0, 20, size=(46, 7))
    results = []
    for optimizer in (OPTIMIZERS.Adam(0.01), OPTIMIZERS.SGD(1.0, global_clipnorm=0.1)):
        keras.utils.set_random_seed(3)
        model = keras.Sequential(
            [
                keras.Input((7,), dtype="int32"),
                Places(),
                keras.layers.Dense(6, activation="tanh"),
                keras.layers.Flatten(),
                keras.layers.Dense(CLASSES, activation="softmax"),
            ]
        )
        model.compile(optimizer, "sparse_categorical_crossentropy")
        history = model.fit(
            tokens, tokens[:, 0] % CLASSES, batch_size=14, epochs=2, verbose=0, shuffle=False
        )
        results.append(outcome(model, history))
    return results


def scenario_mixed_float16(directory):
    """Infinite gradients of one row, so of one worker, skip the step on all and halve the scale."""
    keras.utils.set_random_seed(3)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, dtype="mixed_float16")])
        # Low enough that only the infinite row overflows, however many rows are summed.
        scaled = OPTIMIZERS.LossScaleOptimizer(OPTIMIZERS.SGD(0.01), initial_scale=1024.0)
        model.compile(scaled, "mse")
        x = np.ones((24, 4), "float32")
        x[9] = np.inf
        y = np.zeros((24, 1), "float32")
        model.fit(x, y, batch_size=6, epochs=2, verbose=0, shuffle=False)
        optimizer = model.optimizer
        return {
            "scale": float(optimizer.dynamic_scale.numpy()),
            "iterations": int(optimizer.iterations.numpy()),
            "weights": model.get_weights(),
        }
    finally:
        keras.config.set_dtype_policy("float32")


def scenario_mixed_bfloat16(directory):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        return fitted(dense("sgd"))
    finally:
        keras.config.set_dtype_policy("float32")


class TwoOptimizers(keras.Model):
    """The shape of a GAN: two networks, two losses, two optimizers, one step."""

    def __init__(self):
        super().__init__()
        self.critic = keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(1)])
        self.maker = keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(FEATURES)])
        self.seen = keras.metrics.Mean(name="critic_loss")

    def compile(self):
        super().compile()
        self.first, self.second = OPTIMIZERS.Adam(0.01), OPTIMIZERS.SGD(0.05)

    def train_step(self, data):
        x = data[0] if isinstance(data, tuple) else data
        with tf.GradientTape() as tape:
            critic_loss = tf.reduce_mean((self.critic(x) - 1.0) ** 2)
        variables = self.critic.trainable_variables
        self.first.apply_gradients(
            zip(tape.gradient(critic_loss, variables), variables, strict=True)
        )
        with tf.GradientTape() as tape:
            maker_loss = tf.reduce_mean(self.critic(self.maker(x)) ** 2)
        variables = self.maker.trainable_variables
        self.second.apply_gradients(
            zip(tape.gradient(maker_loss, variables), variables, strict=True)
        )
        self.seen.update_state(critic_loss, sample_weight=tf.shape(x)[0])
        return {"critic_loss": self.seen.result(), "maker_loss": maker_loss}


def scenario_custom_train_step(directory):
    keras.utils.set_random_seed(3)
    x, _ = arrays(46)
    model = TwoOptimizers()
    model.compile()
    history = model.fit(x, batch_size=14, epochs=2, verbose=0, shuffle=False)
    return outcome(model, history)


def scenario_train_on_batch(directory):
    x, y = arrays(46)
    model = dense("sgd")
    losses = [model.train_on_batch(x[i : i + 10], y[i : i + 10])[0] for i in range(0, 46, 10)]
    tested = model.test_on_batch(x, y)
    return outcome(model, None, losses=losses + tested, predicted=model.predict_on_batch(x))


def scenario_own_loop(directory):
    """A loop as TensorFlow's guides have it, with its own scaling of the loss."""
    x, y = arrays(48)
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    with strategy.scope():
        model = dense(OPTIMIZERS.SGD(0.1, global_clipnorm=0.05))
        optimizer = model.optimizer
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(12)

    def step(batch):
        features, labels = batch
        with tf.GradientTape() as tape:
            each = keras.losses.sparse_categorical_crossentropy(labels, model(features))
            loss = tf.nn.compute_average_loss(each, global_batch_size=12)
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    @tf.function
    def run(batch):
        strategy.run(step, args=(batch,))

    for batch in strategy.experimental_distribute_dataset(data):
        run(batch)
    return outcome(model)


def scenario_own_draws(directory):
    """A program's own loop that draws without a seed, and by a layer."""
    keras.utils.set_random_seed(7)
    strategy, dropout = tf.distribute.get_strategy(), keras.layers.Dropout(0.5)

    def step():
        return keras.random.normal((4,)), dropout(tf.ones((64,)), training=True)

    @tf.function
    def run():
        return strategy.run(step)

    return [[drawn.numpy() for drawn in run()] for _ in range(2)]


def scenario_refused(directory):
    """Gradients applied where they cannot be exchanged."""
    model = dense("sgd")
    gradients = [tf.zeros(variable.shape) for variable in model.trainable_variables]
    try:
        model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    except RuntimeError as error:
        return f"{type(error).__name__}: {error}"
    return "accepted"


def scenario_dropout(directory):
    """Masks differ between ranks and are the same in a second run from the same seed."""
    runs = []
    for _ in range(2):
        keras.utils.set_random_seed(11)
        layer = keras.layers.Dropout(0.5)

        class Shows(keras.layers.Layer):
            def build(self, shape):
                self.mask = self.add_weight(shape=(64,), initializer="zeros", trainable=False)

            def call(self, x):
                self.mask.assign(x[0])
                return x

        shows = Shows()
        model = keras.Sequential([keras.Input((64,)), layer, shows, keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        ones = np.ones((12, 64), "float32")
        model.fit(ones, ones[:, :1], batch_size=6, epochs=1, verbose=0)
        runs.append(np.array(shows.mask.value.values[0].numpy()))
    return runs
