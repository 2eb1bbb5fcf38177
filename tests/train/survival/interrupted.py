"""Trainings that depend on something that must go on where it was; each is interrupted within.

`program.py INTERRUPTED? CASE...` runs cases one after another. In the next life those that were
over leave what they had.
"""

import hashlib
import json
import multiprocessing
import os
import random
import signal
import sys
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kubefit_trainer import keras_multiworker
from kubefit_trainer.checkpoints import store

INTERRUPTED, CASES = sys.argv[1] == "yes", sys.argv[2:]
FOLDER = Path.cwd()
ROWS, BATCH = 40, 4
STEPS = ROWS // BATCH

x = np.random.default_rng(0).normal(size=(ROWS, 4)).astype("float32")
y = np.arange(ROWS) % 3


def network(**compiled):
    layers = [keras.layers.Dense(6, "relu"), keras.layers.Dropout(0.2)]
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], **compiled)
    return model


def once(name):
    """Whether this place is come to for the first time in a program that is to be interrupted."""
    mark = FOLDER / f"was-at-{name}"
    if not INTERRUPTED or mark.exists():
        return False
    mark.touch()
    return True


class Dies(keras.callbacks.Callback):
    """Ends this process after steps of an epoch, once one of the last of them is kept."""

    def __init__(self, *places):
        super().__init__()
        self.places = {tuple(place) for place in places}

    def on_train_begin(self, logs=None):
        self.first = newest()

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        at = (self.epoch, batch)
        if at in self.places and once(f"{at} of {current}"):
            until(lambda: self.is_kept(batch - 2 * self.model.steps_per_execution))
            os.kill(os.getpid(), signal.SIGKILL)

    def is_kept(self, least):
        if newest() == self.first:
            return False
        place = store.meta_of(newest().path)["place"]
        return place["epoch"] == self.epoch and place["epoch_step"] >= least


def newest():
    found = [one for one in store.found(Path(os.environ["KUBEFIT_SNAPSHOT_DIR"])) if one.model < 0]
    return found[0] if found else None


def until(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def told(model, *histories):
    weights = b"".join(weight.tobytes() for weight in model.get_weights())
    return {
        "weights": hashlib.sha256(weights).hexdigest(),
        "histories": [{"epoch": h.epoch} | h.history for h in histories],
    }


def shuffled():
    return tf.data.Dataset.from_tensor_slices((x, y)).shuffle(ROWS, seed=5)


def tf_data():
    model, data = network(), shuffled().batch(BATCH)
    # Two calls of fit share the data, whose orders go on.
    first = model.fit(data, epochs=1, verbose=0)
    second = model.fit(data, epochs=4, verbose=0, callbacks=[Dies((1, 6), (2, 4))])
    return told(model, first, second)


def of_unknown_length():
    model, data = network(), shuffled().filter(lambda row, label: row[0] < 1).batch(BATCH)
    history = model.fit(data, epochs=4, verbose=0, callbacks=[Dies((2, 5))])
    return told(model, history)


def several_steps_at_once():
    model, data = network(steps_per_execution=4), shuffled().repeat().batch(BATCH)
    history = model.fit(data, steps_per_epoch=16, epochs=3, verbose=0, callbacks=[Dies((1, 11))])
    return told(model, history)


def from_function():
    def pipeline(context):
        data = tf.data.Dataset.from_tensor_slices((x, y)).shard(
            context.num_input_pipelines, context.input_pipeline_id
        )
        return data.batch(BATCH).skip(keras_multiworker.first_step())

    strategy = tf.distribute.get_strategy()
    data = strategy.distribute_datasets_from_function(pipeline)
    model = network()
    return told(model, model.fit(data, epochs=3, verbose=0, callbacks=[Dies((1, 5))]))


class Sequence(keras.utils.PyDataset):
    """Shuffles its rows itself, as most have it."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.rows = np.arange(ROWS)

    def __len__(self):
        return STEPS

    def __getitem__(self, index):
        rows = self.rows[index * BATCH :][:BATCH]
        return x[rows], y[rows]

    def on_epoch_end(self):
        np.random.shuffle(self.rows)


class Pools(keras.callbacks.Callback):
    """Ends processes of its own by SIGTERM, which is none of a worker that is to stop."""

    def on_epoch_end(self, epoch, logs=None):
        with multiprocessing.Pool(1) as pool:
            pool.map(abs, [epoch])


def py_dataset(*callbacks, **settings):
    model, data = network(), Sequence(**settings)
    history = model.fit(data, epochs=3, verbose=0, callbacks=[Dies((1, 6)), *callbacks])
    return told(model, history)


def py_dataset_of_processes():
    return py_dataset(Pools(), workers=2, use_multiprocessing=True)


def generator():
    def batches():
        while True:
            rows = np.random.choice(ROWS, BATCH)
            yield x[rows], y[rows]

    model = network()
    history = model.fit(batches(), steps_per_epoch=7, epochs=3, verbose=0, callbacks=[Dies((1, 5))])
    return told(model, history)


class Draws(keras.callbacks.Callback):
    """From every generator that a program has without a layer's doing."""

    def on_train_batch_end(self, batch, logs=None):
        draw()


def draw():
    return [
        random.random(),
        float(np.random.random()),
        float(tf.random.uniform([])),
        float(keras.random.uniform([])),
        float(tf.random.get_global_generator().uniform([])),
    ]


def random_numbers():
    tf.random.set_global_generator(tf.random.Generator.from_seed(7))
    draws, model = Draws(), network()
    first = model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0, callbacks=[draws])
    between = draw()
    second = model.fit(x, y, batch_size=BATCH, epochs=2, verbose=0, callbacks=[draws, Dies((1, 5))])
    after = draw()
    return told(model, first, second) | {"between": between, "after": after}


def callbacks():
    model = network()
    history = model.fit(
        x,
        y,
        batch_size=BATCH,
        epochs=12,
        verbose=0,
        validation_data=(tf.data.Dataset.from_tensor_slices((-x, y)).shuffle(ROWS, 1).batch(BATCH)),
        validation_steps=3,
        callbacks=[
            keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.9 * rate),
            keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=1),
            keras.callbacks.EarlyStopping("val_accuracy", patience=5, restore_best_weights=True),
            keras.callbacks.ModelCheckpoint(
                FOLDER / "best.weights.h5",
                "val_accuracy",
                save_best_only=True,
                save_weights_only=True,
            ),
            keras.callbacks.BackupAndRestore(FOLDER / "backup"),
            keras.callbacks.CSVLogger(FOLDER / "log.csv"),
            keras.callbacks.TensorBoard(FOLDER / "tensorboard", update_freq=1),
            Dies((3, 5)),
        ],
    )
    best = network()
    best.load_weights(FOLDER / "best.weights.h5")
    return told(model, history) | {
        "best": told(best),
        "rows": (FOLDER / "log.csv").read_text().splitlines(),
        "batches": batches_in(FOLDER / "tensorboard" / "train"),
    }


def batches_in(folder):
    found = set()
    for file in folder.glob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                if value.tag == "batch_loss":
                    found.add((event.step, float(tf.make_ndarray(value.tensor))))
    return sorted(found)


class Stops(keras.callbacks.Callback):
    """Is told to stop during a validation, on the last worker alone."""

    def on_test_batch_end(self, batch, logs=None):
        last = keras_multiworker.rank() == keras_multiworker.workers() - 1
        if (
            batch == 2
            and last
            and int(self.model.optimizer.iterations) >= 2 * STEPS
            and once(f"stop of {current}")
        ):
            os.kill(os.getpid(), signal.SIGTERM)


def stopped_in_validation():
    model = network()
    history = model.fit(
        shuffled().batch(BATCH),
        epochs=4,
        verbose=0,
        validation_data=(x, y),
        validation_batch_size=BATCH,
        callbacks=[Stops()],
    )
    return told(model, history)


def stopped_between_fits():
    model = network()
    first = model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)
    if once(f"stop of {current}"):
        os.kill(os.getpid(), signal.SIGTERM)
    second = model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)
    return told(model, first, second)


results = {}
for current in CASES:
    keras.utils.set_random_seed(3)
    results[current] = globals()[current]()
print("RESULT", json.dumps(results, default=lambda value: np.asarray(value).tolist()))
