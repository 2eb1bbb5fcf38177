"""Callbacks as programs use them, and the iterators that they leave behind."""

import gc
import json
import threading
import weakref

import keras
import numpy as np
import tensorflow as tf
from scenarios_basic import arrays, dense, outcome
from tensorflow.python.data.ops import dataset_ops

CALLBACKS = keras.callbacks


class Reads(CALLBACKS.Callback):
    """Keeps every log that a callback of a program gets to see."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def keep(self, where, logs):
        self.seen.append((where, {name: float(value) for name, value in (logs or {}).items()}))

    def on_train_batch_end(self, batch, logs=None):
        self.keep("train", logs)

    def on_test_batch_end(self, batch, logs=None):
        self.keep("test", logs)

    def on_epoch_end(self, epoch, logs=None):
        # Reading a metric in the middle of an epoch's end, as loggers do.
        self.keep("result", self.model.get_metrics_result())
        self.keep("epoch", logs)

    def on_train_end(self, logs=None):
        self.keep("end", logs)


def scenario_logs(directory):
    """Reading logs at every step; a LambdaCallback; decisions of each on its own."""
    x, y = arrays()
    reads, lines, rates = Reads(), [], []
    model = dense(keras.optimizers.SGD(0.1))

    def slower(epoch, logs):
        lines.append(json.dumps({"epoch": epoch, "loss": round(logs["loss"], 4)}))
        if logs["accuracy"] > 0:
            model.optimizer.learning_rate = 0.1 / (epoch + 2)
        rates.append((float(model.optimizer.learning_rate), int(model.optimizer.iterations)))

    history = model.fit(
        x,
        y,
        batch_size=16,
        epochs=3,
        verbose=0,
        validation_data=(x[:20], y[:20]),
        callbacks=[reads, CALLBACKS.LambdaCallback(on_epoch_end=slower)],
    )
    return outcome(model, history, seen=reads.seen, lines=lines, rates=rates)


def scenario_nan(directory):
    """A row that is not finite, so on one worker only: all stop after the step it is in."""
    x, y = arrays()
    x[21] = np.nan
    model = dense("sgd")
    history = model.fit(
        x,
        y,
        batch_size=10,
        epochs=3,
        verbose=0,
        shuffle=False,
        callbacks=[CALLBACKS.TerminateOnNaN(), reads := Reads()],
    )
    return {"epochs": len(history.epoch), "steps": sum(name == "train" for name, _ in reads.seen)}


def scenario_checkpoints(directory):
    """Every mode of ModelCheckpoint; what each file holds is what it would on one process."""
    x, y = arrays()
    folder = directory / "checkpoints"
    model = dense(keras.optimizers.SGD(0.5))

    def checkpoint(name, **arguments):
        return CALLBACKS.ModelCheckpoint(str(folder / name), **arguments)

    best = {"save_best_only": True, "save_weights_only": True}
    model.fit(
        x,
        y,
        batch_size=10,
        epochs=3,
        verbose=0,
        validation_data=(x, y),
        callbacks=[
            checkpoint("all.keras"),
            checkpoint("{epoch:02d}-{val_loss:.2f}.weights.h5", save_weights_only=True),
            checkpoint("min.weights.h5", monitor="val_loss", mode="min", **best),
            checkpoint("max.weights.h5", monitor="val_accuracy", mode="max", **best),
            checkpoint("auto.weights.h5", monitor="accuracy", **best),
            checkpoint("never.weights.h5", initial_value_threshold=0.0, **best),
            checkpoint("batch-{batch}.weights.h5", save_freq=7, save_weights_only=True),
        ],
    )
    saved = {}
    for path in sorted(folder.iterdir()):
        other = dense(keras.optimizers.SGD(0.5))
        other.load_weights(path)
        saved[path.name] = other.get_weights()
    whole = keras.saving.load_model(folder / "all.keras")
    return {
        "saved": saved,
        "iterations": int(whole.optimizer.iterations.numpy()),
        "evaluated": whole.evaluate(x, y, verbose=0),
    }


def scenario_tensorboard(directory):
    """Histograms, images of weights, batch logs and a profile: one writer, the global numbers."""
    x, y = arrays()
    folder = directory / "tensorboard"
    model = dense("sgd")
    model.fit(
        x,
        y,
        batch_size=10,
        epochs=2,
        verbose=0,
        validation_data=(x, y),
        callbacks=[
            CALLBACKS.TensorBoard(
                folder, histogram_freq=1, write_images=True, update_freq=2, profile_batch=(2, 3)
            )
        ],
    )
    # The chief writes; the others come here when it has closed its files.
    model.evaluate(x, y, verbose=0)
    scalars, files = {}, sorted(folder.rglob("*tfevents*"))
    for path in files:
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                key = f"{path.parent.name}/{value.tag}"
                tensor = tf.make_ndarray(value.tensor) if value.HasField("tensor") else None
                known = tensor is not None and tensor.dtype.kind == "f" and tensor.ndim == 0
                scalars.setdefault(key, []).append(float(tensor) if known else None)
    return {"scalars": scalars, "writers": [path.parent.name for path in files]}


def scenario_deletion(directory):
    """Every deletion of an iterator hangs until all calls have returned."""
    x, y = arrays()
    log, told = [], threading.Event()
    original = dataset_ops.DatasetV2.__iter__
    made = []

    def deleted(_):
        log.append(threading.current_thread().name)
        if threading.current_thread().name == "tf-data-reaper":
            told.wait()

    def held(self):
        iterator = original(self)
        # Goes with the iterator; an array, for the garbage collector looks at no other deletion.
        iterator.held = np.zeros(1)
        made.append(weakref.ref(iterator.held, deleted))
        return iterator

    dataset_ops.DatasetV2.__iter__ = held
    try:
        model = dense("sgd")
        pipeline = tf.data.Dataset.from_tensor_slices((x, y)).batch(10)
        for data in (pipeline, pipeline.filter(lambda x, y: True)):
            model.fit(data, epochs=2, verbose=0, validation_data=pipeline)
            model.evaluate(data, verbose=0)
            model.predict(data, verbose=0)
        model.fit(x, y, batch_size=10, epochs=2, verbose=0, validation_split=0.2)
        model.evaluate(x, y, verbose=0)
        model.predict(x, verbose=0)
        gc.collect()
        before = list(log)
    finally:
        told.set()
        dataset_ops.DatasetV2.__iter__ = original
    return {"made": len(made), "begun": before}
