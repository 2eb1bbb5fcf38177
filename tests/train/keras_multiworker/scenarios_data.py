"""Every way a program hands data to fit; none of them knows of workers."""

import random

import keras
import numpy as np
import tensorflow as tf
from scenarios_basic import CLASSES, FEATURES, arrays, dense, outcome

ROWS = 46


class Batches(keras.utils.PyDataset):
    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.x, self.y = arrays(ROWS)

    def __len__(self):
        return 4

    def __getitem__(self, index):
        rows = slice(index * 12, min((index + 1) * 12, ROWS))
        return self.x[rows], self.y[rows]


def generator(epochs=2):
    x, y = arrays(ROWS)
    for _ in range(epochs):
        order = np.random.permutation(ROWS)
        for start in range(0, ROWS, 12):
            yield x[order[start : start + 12]], y[order[start : start + 12]]


def pipeline(batch=12):
    return tf.data.Dataset.from_tensor_slices(arrays(ROWS)).shuffle(ROWS).batch(batch)


def scenario_sources(directory):
    x, y = arrays(ROWS)
    results = {}

    def case(name, data, **arguments):
        keras.utils.set_random_seed(9)
        model = dense("adam")
        arguments = {"epochs": 2, "verbose": 0, **arguments}
        results[name] = outcome(model, model.fit(data, **arguments))

    case("tf_data", pipeline())
    case("tf_data_endless", pipeline().repeat(), steps_per_epoch=3)
    case("tf_data_filtered", pipeline().filter(lambda x, y: True))
    case(
        "tf_data_distributed",
        tf.distribute.get_strategy().experimental_distribute_dataset(
            tf.data.Dataset.from_tensor_slices((x, y)).batch(12)
        ),
    )
    case("small_batches", pipeline(batch=2), epochs=1)
    case("py_dataset", Batches())
    case("py_dataset_workers", Batches(workers=2))
    case("generator", generator(), steps_per_epoch=4)
    case("arrays_shuffled", x, y=y, batch_size=12)
    case("batch_shuffled", x, y=y, batch_size=12, shuffle="batch")
    case("validation_split", x, y=y, batch_size=12, validation_split=0.3)
    case("tensors", tf.constant(x), y=tf.constant(y), batch_size=12, shuffle=False)
    case("class_weight", pipeline(), class_weight={0: 1.0, 1: 2.0, 2: 0.5})
    case("several_steps", pipeline(), validation_data=pipeline())
    return results


def scenario_evaluate_and_predict(directory):
    x, y = arrays(ROWS)
    model = dense("sgd")
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(12)
    return {
        "evaluated": [
            model.evaluate(data, verbose=0, return_dict=True),
            model.evaluate(Batches(), verbose=0, return_dict=True),
            model.evaluate(x, y, batch_size=45, verbose=0, return_dict=True),
        ],
        "predicted": [
            model.predict(data, verbose=0),
            model.predict(data.filter(lambda x, y: True), verbose=0),
            model.predict(x[:1], verbose=0),
            model.predict(x, batch_size=45, verbose=0, steps=2),
        ],
    }


def scenario_different_data(directory):
    """A generator that is seeded by the clock, as it were: each worker draws other batches."""
    resolver = tf.distribute.get_strategy().cluster_resolver
    rng = np.random.default_rng(100 + int(resolver.task_id or 0))

    def draws():
        while True:
            x = rng.normal(size=(12, FEATURES)).astype("float32")
            yield x, np.zeros(12, "int32")

    try:
        dense().fit(draws(), steps_per_epoch=16, verbose=0)
    except RuntimeError as error:
        return f"{type(error).__name__}: {error}"
    return "trained"


def scenario_images(directory):
    """Class folders of images, in the unseeded shuffle of Keras."""
    resolver = tf.distribute.get_strategy().cluster_resolver
    folder = directory / f"images-{resolver.task_id or 0}"
    rng = np.random.default_rng(1)
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for i in range(9):
            image = tf.constant(rng.integers(0, 255, (8, 8, 3)), tf.uint8)
            tf.io.write_file(str(folder / name / f"{i}.png"), tf.io.encode_png(image))
    random.seed(4), np.random.seed(4), tf.random.set_seed(4)
    data = keras.utils.image_dataset_from_directory(
        folder, image_size=(8, 8), batch_size=5, verbose=False
    )
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy", keras.metrics.AUC()])
    history = model.fit(data, epochs=2, verbose=0)
    logs = {("auc" if "auc" in name else name): v for name, v in history.history.items()}
    return {"weights": [np.array(w) for w in model.get_weights()], "logs": logs}


def scenario_text(directory):
    """Raw strings, a vocabulary, an embedding with sparse gradients, attention."""
    words = ["red green blue", "blue blue", "green", "red red red green", "yellow blue"] * 9
    labels = np.array([0, 1, 0, 0, 1] * 9)
    keras.utils.set_random_seed(3)
    vectorize = keras.layers.TextVectorization(
        output_sequence_length=6,
        vocabulary=[
            "red",
            "green",
            "blue",
            "yellow",
        ],
    )
    inputs = keras.Input((), dtype="string")
    tokens = vectorize(inputs)
    x = keras.layers.Embedding(6, 8)(tokens)
    x = x + keras.layers.MultiHeadAttention(2, 4)(x, x)
    x = keras.layers.LayerNormalization()(x)
    x = keras.layers.GlobalAveragePooling1D()(x)
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(x))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    data = tf.data.Dataset.from_tensor_slices((words, labels)).batch(8)
    return outcome(model, model.fit(data, epochs=2, verbose=0))


def scenario_lengths(directory):
    """Bucketed lengths: every worker traces when a new length comes, at the same step."""
    rng = np.random.default_rng(5)
    buckets = [(8, 4), (8, 9), (7, 4), (8, 6), (8, 9)]
    batches = [
        (rng.integers(1, 10, size).astype("int32"), rng.integers(0, 2, size[:1]).astype("int32"))
        for size in buckets
    ]

    def draw():
        yield from batches

    signature = (tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None,), tf.int32))
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(10, 4, mask_zero=True),
            keras.layers.Bidirectional(keras.layers.GRU(4)),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    data = tf.data.Dataset.from_generator(draw, output_signature=signature)
    return outcome(model, model.fit(data, epochs=2, verbose=0))


def scenario_ctc(directory):
    rng = np.random.default_rng(6)
    x = rng.normal(size=(20, 12, 5)).astype("float32")
    y = rng.integers(1, 4, size=(20, 3)).astype("int32")
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [keras.Input((12, 5)), keras.layers.LSTM(6, return_sequences=True), keras.layers.Dense(4)]
    )
    model.compile("adam", keras.losses.CTC())
    return outcome(model, model.fit(x, y, batch_size=7, epochs=2, verbose=0, shuffle=False))


def scenario_late_build(directory):
    """A subclass that is built by the first batch, with nested inputs."""

    class Late(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden = keras.layers.Dense(6, activation="tanh")
            self.out = keras.layers.Dense(1)

        def call(self, inputs):
            return self.out(self.hidden(inputs["a"]) + self.hidden(inputs["b"]))

    keras.utils.set_random_seed(3)
    x, _ = arrays(ROWS)
    model = Late()
    model.compile("adam", "mse", metrics=["mae"])
    inputs = {"a": x, "b": -x}
    history = model.fit(inputs, x[:, :1], batch_size=12, epochs=2, verbose=0, shuffle=False)
    return outcome(model, history, predicted=model.predict(inputs, verbose=0))
