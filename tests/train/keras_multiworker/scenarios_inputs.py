"""Inputs that are easily cut wrongly: folders, single rows, few batches, ragged and sparse rows."""

import keras
import numpy as np
import tensorflow as tf
from scenarios_basic import CLASSES, FEATURES, arrays, dense, outcome

from kubefit_trainer import keras_multiworker

ROWS = 46
LAYERS = keras.layers


def rank():
    return keras_multiworker.rank()


def scenario_flow_from_directory(directory):
    """Class folders with the augmentation of ImageDataGenerator, shuffled without a seed."""
    folder = directory / f"flow-{rank()}"
    rng = np.random.default_rng(1)
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for i in range(9):
            keras.utils.save_img(folder / name / f"{i}.png", rng.integers(0, 255, (8, 8, 3)))
    keras.utils.set_random_seed(3)
    generator = tf.keras.preprocessing.image.ImageDataGenerator(
        rescale=1 / 255, horizontal_flip=True, rotation_range=30, validation_split=0.3
    )
    arguments = {"target_size": (8, 8), "batch_size": 5, "class_mode": "binary"}
    train = generator.flow_from_directory(folder, subset="training", **arguments)
    valid = generator.flow_from_directory(
        folder, subset="validation", shuffle=False, seed=7, **arguments
    )
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), LAYERS.Conv2D(4, 3), LAYERS.Flatten(), LAYERS.Dense(1)]
    )
    model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True), metrics=["accuracy"])
    history = model.fit(train, epochs=2, verbose=0, validation_data=valid)
    return outcome(model, history)


def scenario_single_rows(directory):
    """A pipeline that was never batched: what Keras says to it."""
    x, y = arrays(ROWS)
    try:
        dense().fit(tf.data.Dataset.from_tensor_slices((x, y)), verbose=0)
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return "trained"


def scenario_few(directory):
    """Fewer rows than workers, fewer batches than workers."""
    x, y = arrays(5)
    results = []
    for data, arguments in (
        ((x[:1], y[:1]), {}),
        ((x[:2], y[:2]), {"batch_size": 1}),
        ((tf.data.Dataset.from_tensor_slices((x, y)).batch(5), None), {}),
        ((tf.data.Dataset.from_tensor_slices((x, y)).batch(4), None), {}),
    ):
        model = dense("adam")
        history = model.fit(*data, epochs=2, verbose=0, shuffle=False, **arguments)
        results.append(outcome(model, history, predicted=model.predict(x[:1], verbose=0)))
    return results


def scenario_one_has_all(directory):
    """Rows that the program cut itself, so that one worker has all and the others have nothing."""
    x, y = arrays(20)

    def cut(context):
        data = tf.data.Dataset.from_tensor_slices((x, y)).batch(6)
        return data if context.input_pipeline_id == 0 else data.take(0)

    model = dense("sgd")
    data = tf.distribute.get_strategy().distribute_datasets_from_function(cut)
    history = model.fit(data, epochs=2, verbose=0)
    return outcome(model, history, evaluated=model.evaluate(data, verbose=0))


class Counts(LAYERS.Layer):
    """How often each word is in a ragged row; no padding counts."""

    def call(self, x):
        dense = x.to_tensor(0) if isinstance(x, tf.RaggedTensor) else x
        return tf.reduce_sum(tf.one_hot(dense - 1, 9), 1)


def scenario_ragged(directory):
    rng = np.random.default_rng(3)
    rows = [rng.integers(1, 10, rng.integers(1, 7)).tolist() for _ in range(ROWS)]
    _, y = arrays(ROWS)
    keras.utils.set_random_seed(3)
    inputs = keras.Input((None,), dtype="int32", ragged=True)
    model = keras.Model(inputs, LAYERS.Dense(CLASSES, activation="softmax")(Counts()(inputs)))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    ragged = tf.ragged.constant(rows, tf.int32)
    data = tf.data.Dataset.from_tensor_slices((ragged, y)).ragged_batch(14)
    data = data.map(lambda x, y: (x, tf.convert_to_tensor(y)))
    history = model.fit(data, epochs=2, verbose=0)
    return outcome(model, history, predicted=model.predict(data, verbose=0))


def scenario_sparse(directory):
    x, y = arrays(ROWS)
    x = np.where(x > 0.5, x, 0).astype("float32")
    keras.utils.set_random_seed(3)
    inputs = keras.Input((FEATURES,), sparse=True)
    model = keras.Model(inputs, LAYERS.Dense(CLASSES, activation="softmax")(inputs))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    results = []
    sparse = tf.sparse.from_dense(x)
    history = model.fit(sparse, y, batch_size=14, epochs=2, verbose=0, shuffle=False)
    results.append(outcome(model, history))
    data = tf.data.Dataset.from_tensor_slices((sparse, y)).batch(14)
    history = model.fit(data, epochs=2, verbose=0)
    results.append(outcome(model, history, predicted=model.predict(data, verbose=0)))
    return results


def refusal(call):
    try:
        call()
    except RuntimeError as error:
        return f"{type(error).__name__}: {error}"
    return "accepted"


def scenario_different(directory):
    """What differs between workers, though it must not."""
    x, y = arrays(ROWS)
    data = tf.data.Dataset.from_tensor_slices((x, y))

    def ends_early():
        for i in range(3 + 3 * (rank() == 0)):
            yield x[i : i + 8], y[i : i + 8]

    signature = (tf.TensorSpec((None, FEATURES), tf.float32), tf.TensorSpec((None,), tf.int32))
    short = tf.data.Dataset.from_generator(ends_early, output_signature=signature)
    mine = x if rank() == 0 else x + 1
    return {
        "seeds": refusal(
            lambda: dense().fit(data.shuffle(ROWS, seed=rank()).batch(8), epochs=4, verbose=0)
        ),
        "arrays": refusal(lambda: dense().fit(mine, y, batch_size=ROWS, verbose=0)),
        "rows": refusal(lambda: dense().fit(x[: 40 + rank()], y[: 40 + rank()], 64, verbose=0)),
        "evaluated": refusal(lambda: dense().evaluate(mine, y, batch_size=ROWS, verbose=0)),
        "predicted": refusal(lambda: dense().predict(mine, batch_size=ROWS, verbose=0)),
        "fit_ends": refusal(lambda: dense().fit(ends_early(), steps_per_epoch=8, verbose=0)),
        "predict_ends": refusal(lambda: dense().predict(short, verbose=0)),
        "evaluate_ends": refusal(lambda: dense().evaluate(short, verbose=0)),
    }
