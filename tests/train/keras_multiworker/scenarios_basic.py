"""Programs that know nothing of workers; the tests compare what they return for 1, 2 and 3."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(1)
ROWS, FEATURES, CLASSES = 50, 6, 3


def arrays(rows=ROWS):
    rng = np.random.default_rng(7)
    x = rng.normal(size=(rows, FEATURES)).astype("float32")
    y = (np.abs(x).argmax(1) % CLASSES).astype("int32")
    return x, y


def dense(optimizer="adam", **compile_arguments):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((FEATURES,)),
            keras.layers.Dense(8, activation="tanh"),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    arguments = {
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
        **compile_arguments,
    }
    model.compile(optimizer=optimizer, **arguments)
    return model


def outcome(model, history=None, **more):
    logs = {} if history is None else history.history
    return {"weights": [np.array(w) for w in model.get_weights()], "logs": logs, **more}


def scenario_numpy(directory):
    """50 rows in batches of 16: ragged at the end, never divisible by 3 workers."""
    x, y = arrays()
    model = dense()
    history = model.fit(x, y, batch_size=16, epochs=3, verbose=0, validation_data=(x[:7], y[:7]))
    evaluated = model.evaluate(x[:31], y[:31], batch_size=8, verbose=0, return_dict=True)
    predicted = model.predict(x[:31], batch_size=8, verbose=0)
    return outcome(model, history, evaluated=evaluated, predicted=predicted)


class Recorder(keras.layers.Layer):
    """Adds the identities of the samples it sees to a variable of this worker."""

    def build(self, shape):
        self.seen = self.add_weight(
            shape=(ROWS,), initializer="zeros", trainable=False, name="seen", dtype="int32"
        )

    def call(self, x):
        ids = tf.cast(x[:, 0], tf.int32)
        self.seen.assign(
            self.seen + tf.math.bincount(ids, minlength=ROWS, maxlength=ROWS, dtype=tf.int32)
        )
        return x


def scenario_seen(directory):
    """How often each worker sees each sample in each of two epochs, shuffled, batch of 8."""
    layer = Recorder()
    model = keras.Sequential([keras.Input((1,)), layer, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    ids = np.arange(ROWS, dtype="float32")[:, None]
    seen = []
    model.fit(
        ids,
        ids * 0,
        batch_size=8,
        epochs=2,
        verbose=0,
        callbacks=[
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: seen.append(np.array(layer.seen.numpy()))
            )
        ],
    )
    return {"seen": seen}


def scenario_from_function(directory):
    """Each worker cuts its own rows; last local batches differ in size or are empty."""
    x, y = arrays(34)
    strategy = tf.distribute.get_strategy()

    def cut(context):
        n, r = context.num_input_pipelines, context.input_pipeline_id
        batches = [range(i, min(i + 8, 34))[r::n] for i in range(0, 34, 8)]

        def rows():
            for batch in batches:
                if len(batch):
                    yield x[list(batch)], y[list(batch)]

        signature = (
            tf.TensorSpec((None, FEATURES), tf.float32),
            tf.TensorSpec((None,), tf.int32),
        )
        dataset = tf.data.Dataset.from_generator(rows, output_signature=signature)
        if known:
            count = sum(1 for batch in batches if len(batch))
            dataset = dataset.apply(tf.data.experimental.assert_cardinality(count))
        return dataset

    results = {}
    for known in (True, False):
        model = dense()
        data = strategy.distribute_datasets_from_function(cut)
        history = model.fit(data, epochs=2, verbose=0)
        evaluated = model.evaluate(data, verbose=0, return_dict=True)
        results["known" if known else "unknown"] = outcome(model, history, evaluated=evaluated)
    return results


def scenario_batch_norm(directory):
    x, y = arrays()
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((FEATURES,)),
            keras.layers.Dense(8),
            keras.layers.BatchNormalization(momentum=0.5),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=16, epochs=2, verbose=0)
    return outcome(model, history, evaluated=model.evaluate(x, y, verbose=0, return_dict=True))


def scenario_two_fits(directory):
    x, y = arrays()
    model = dense()
    first = model.fit(x, y, batch_size=10, epochs=1, verbose=0, shuffle=False)
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    second = model.fit(x, y, batch_size=25, epochs=2, verbose=0, shuffle=False)
    return outcome(model, second, first=first.history)
