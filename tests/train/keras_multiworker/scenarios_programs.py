"""Models and step functions as programs have them: many inputs, own losses, own steps, text."""

import keras
import numpy as np
import tensorflow as tf
from scenarios_basic import CLASSES, FEATURES, arrays, dense, outcome

ROWS = 46
LAYERS = keras.layers


def fitted(model, x, y, **arguments):
    return model.fit(x, y, **{"batch_size": 14, "verbose": 0, "shuffle": False, **arguments})


class Largest(keras.metrics.Metric):
    """A metric whose states are no sums, as `aggregation` says."""

    def __init__(self, name="largest", **arguments):
        super().__init__(name=name, **arguments)
        self.average = self.add_variable((), "zeros", aggregation="mean", name="average")
        self.first = self.add_variable((), "zeros", aggregation="only_first_replica", name="first")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.average.assign_add(1.0)
        self.first.assign_add(1.0)

    def result(self):
        return {"largest_mean": self.average.value, "largest_first": self.first.value}


def scenario_metrics(directory):
    """Metrics of every kind of state: confusion matrices, thresholds, vectors, own aggregation."""
    x, y = arrays(ROWS)
    model = dense(
        "sgd",
        loss="categorical_crossentropy",
        metrics=[
            "accuracy",
            keras.metrics.AUC(num_thresholds=20, name="auc"),
            keras.metrics.F1Score(average="macro", name="f1"),
            keras.metrics.Precision(name="precision"),
            keras.metrics.OneHotMeanIoU(num_classes=CLASSES, name="iou"),
            keras.metrics.R2Score(name="r2"),
            keras.metrics.CosineSimilarity(name="cosine"),
            Largest(),
        ],
        weighted_metrics=[keras.metrics.CategoricalAccuracy(name="weighted")],
    )
    targets = keras.utils.to_categorical(y, CLASSES).astype("float32")
    weights = np.linspace(0.1, 2.0, ROWS, dtype="float32")
    history = fitted(model, x, targets, epochs=2, sample_weight=weights)
    return outcome(model, history)


def scenario_nested(directory):
    """Lists of inputs, dicts in dicts, several outputs with losses and metrics of their own."""
    keras.utils.set_random_seed(3)
    a, b = keras.Input((FEATURES,), name="a"), keras.Input((2,), name="b")
    hidden = LAYERS.Dense(6, activation="tanh")(LAYERS.Concatenate()([a, b]))
    left = LAYERS.Dense(CLASSES, activation="softmax", name="left")(hidden)
    right = LAYERS.Dense(1, name="right")(hidden)
    x, y = arrays(ROWS)
    results = []
    many = keras.Model([a, b], [left, right])
    many.compile(
        "sgd",
        loss=["sparse_categorical_crossentropy", "mse"],
        metrics=[["accuracy"], ["mae", "mse"]],
    )
    history = fitted(many, [x, x[:, :2]], [y, x[:, :1]], epochs=2)
    results.append(outcome(many, history, predicted=many.predict([x, x[:, :2]], verbose=0)))
    nested = keras.Model({"first": a, "rest": {"second": b}}, {"left": left, "right": right})
    nested.compile(
        "sgd",
        loss={"left": "sparse_categorical_crossentropy", "right": "mse"},
        metrics={"right": ["mae"]},
    )
    inputs = {"first": x, "rest": {"second": x[:, :2]}}
    data = tf.data.Dataset.from_tensor_slices((inputs, {"left": y, "right": x[:, :1]}))
    history = nested.fit(data.batch(14), epochs=2, verbose=0)
    results.append(outcome(nested, history, predicted=nested.predict(inputs, verbose=0)))
    return results


class OwnLoss(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = LAYERS.Dense(6, activation="tanh")
        self.out = LAYERS.Dense(CLASSES)

    def call(self, inputs):
        return self.out(self.hidden(inputs))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        each = keras.losses.sparse_categorical_crossentropy(y, y_pred, from_logits=True)
        return tf.reduce_mean(each) + 0.1 * tf.reduce_mean(tf.abs(y_pred))


def scenario_compute_loss(directory):
    keras.utils.set_random_seed(3)
    x, y = arrays(ROWS)
    model = OwnLoss()
    model.compile("adam", metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")])
    history = fitted(model, x, y, epochs=2, validation_data=(x[:11], y[:11]))
    return outcome(model, history)


class OwnStep(keras.Model):
    """Returns some metrics only, and a raw loss under the name that a metric has."""

    def __init__(self):
        super().__init__()
        self.out = LAYERS.Dense(CLASSES, activation="softmax")

    def call(self, inputs):
        return self.out(inputs)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred)
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        for metric in self.metrics:
            if metric.name != "loss":
                metric.update_state(y, y_pred)
        logs = {name: value for name, value in self.get_metrics_result().items() if name != "loss"}
        return {"loss": loss, "accuracy": logs["accuracy"], "norm": tf.reduce_mean(x**2)}


def scenario_train_step(directory):
    keras.utils.set_random_seed(3)
    x, y = arrays(ROWS)
    model = OwnStep()
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    seen = []
    shows = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append((logs["loss"], logs["accuracy"]))
    )
    history = fitted(model, x, y, epochs=2, callbacks=[shows])
    return outcome(model, history, seen=np.array(seen))


def scenario_text(directory):
    """Words looked up in a functional model, masked, through a GRU and an LSTM."""
    rng = np.random.default_rng(2)
    words = np.array(["", "red", "green", "blue", "unheard"])
    texts = rng.choice(words[1:], (ROWS, 5))
    for row, length in enumerate(rng.integers(1, 6, ROWS)):
        texts[row, length:] = ""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((5,), dtype="string")
    found = LAYERS.StringLookup(vocabulary=["red", "green", "blue"], mask_token="")(inputs)
    embedded = LAYERS.Embedding(5, 4, mask_zero=True)(found)
    sequence = LAYERS.GRU(5, return_sequences=True)(embedded)
    last = LAYERS.LSTM(4)(sequence)
    model = keras.Model(inputs, LAYERS.Dense(1, activation="sigmoid")(last))
    model.compile(keras.optimizers.Adam(0.02), "binary_crossentropy", metrics=["accuracy"])
    data = tf.data.Dataset.from_tensor_slices((texts, rng.integers(0, 2, (ROWS, 1)))).batch(14)
    history = model.fit(data, epochs=2, verbose=0)
    return outcome(model, history, predicted=model.predict(data, verbose=0))


def scenario_adapted(directory):
    """Layers that learn from data before training: scales of numbers, a vocabulary."""
    x, y = arrays(ROWS)
    keras.utils.set_random_seed(3)
    scaled, words = LAYERS.Normalization(), LAYERS.TextVectorization(output_sequence_length=3)
    scaled.adapt(tf.data.Dataset.from_tensor_slices(x * 5 + 2).batch(14))
    texts = np.array([f"row {'even' if label % 2 else 'odd'} {label}" for label in y])
    words.adapt(texts)
    numbers, text = keras.Input((FEATURES,)), keras.Input((), dtype="string")
    embedded = LAYERS.Flatten()(LAYERS.Embedding(words.vocabulary_size(), 4)(words(text)))
    hidden = LAYERS.Concatenate()([scaled(numbers), embedded])
    model = keras.Model([numbers, text], LAYERS.Dense(CLASSES, activation="softmax")(hidden))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    data = tf.data.Dataset.from_tensor_slices(((x * 5 + 2, texts), y)).batch(14)
    history = model.fit(data, epochs=2, verbose=0)
    return outcome(model, history)


def scenario_arguments(directory):
    """Arguments of fit and compile that are easily forgotten."""
    x, y = arrays(ROWS)
    results = []
    model = dense("sgd", jit_compile=True)
    arguments = {"validation_data": (x, y), "validation_freq": 2, "validation_steps": 2}
    results.append(outcome(model, fitted(model, x, y, initial_epoch=1, epochs=4, **arguments)))
    model = dense("sgd")
    results.append(outcome(model, fitted(model, x, y, steps_per_epoch=2, epochs=3)))
    model = dense("sgd")
    arguments = {"validation_batch_size": 7, "validation_data": (x, y, np.arange(ROWS) / ROWS)}
    results.append(outcome(model, fitted(model, x, y, epochs=2, **arguments)))
    frozen = dense("sgd")
    frozen.layers[0].trainable = False
    frozen.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    results.append(outcome(frozen, fitted(frozen, x, y, epochs=2)))
    return results


def scenario_cleared_sessions(directory):
    """A model after another, each in a session of its own, as tuners build them."""
    x, y = arrays(ROWS)
    results = []
    for rate in (0.1, 0.01):
        keras.utils.clear_session()
        model = dense(keras.optimizers.Adam(rate))
        history = fitted(model, x, y, epochs=2)
        results.append(outcome(model, history, name=model.name))
    return results


def scenario_own_strategies(directory):
    """Programs that make the strategy of one machine, or one of many workers, for themselves."""
    x, y = arrays(ROWS)
    results = []
    for make in (
        tf.distribute.MirroredStrategy,
        tf.distribute.MultiWorkerMirroredStrategy,
        lambda: tf.distribute.OneDeviceStrategy("/cpu:0"),
    ):
        strategy = make()
        with strategy.scope():
            model = dense("sgd")
        history = fitted(model, x, y, epochs=2)
        results.append(outcome(model, history, replicas=strategy.num_replicas_in_sync))
    return results
