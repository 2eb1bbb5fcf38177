"""A program of Keras 2 days: nothing in it knows of KubeFit, every worker runs it whole.

    program.py FOLDER

Leaves what this worker saw in FOLDER/rank-<rank>.pickle.
"""

import json
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow.keras import callbacks, layers

FOLDER = Path(sys.argv[1])
CONFIG = json.loads(os.environ["TF_CONFIG"])
RANK = CONFIG["task"]["index"]
LAST = len(CONFIG["cluster"]["worker"]) == RANK + 1
CHIEF = RANK == 0
random = np.random.default_rng(0)
x = random.normal(size=(36, 5)).astype("float32")
y = random.integers(0, 3, 36).astype("int32")


def place(name: str) -> str:
    """tf_keras wants texts in some places."""
    return str(FOLDER / name)


def network(*, batch_norm: bool = False, seed: int = 3) -> tf.keras.Model:
    tf.keras.utils.set_random_seed(seed)
    between = [layers.BatchNormalization()] if batch_norm else []
    model = tf.keras.Sequential(
        [
            layers.Input((5,)),
            layers.Dense(8, "relu"),
            *between,
            layers.Dense(3, "softmax"),
        ]
    )
    model.compile(
        tf.keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def seen(model: tf.keras.Model, history: callbacks.History) -> dict:
    return {"logs": history.history, "weights": model.get_weights()}


def arrays() -> dict:
    """Shuffled by fit, without a seed of the program's own."""
    model = network()
    history = model.fit(x, y, batch_size=12, epochs=3, validation_data=(x, y), verbose=0)
    predicted = model.predict(x, batch_size=12, verbose=0)
    evaluated = model.evaluate(x, y, batch_size=12, verbose=0)
    return {**seen(model, history), "predicted": predicted, "evaluated": evaluated}


def data_set() -> dict:
    data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(36).batch(12)
    model = network()
    return seen(model, model.fit(data, epochs=2, verbose=0))


def masks() -> np.ndarray:
    """What Dropout draws in a step of this worker."""
    tf.keras.utils.set_random_seed(5)
    dropout = layers.Dropout(0.5)
    step = tf.function(lambda: dropout(tf.ones(64), training=True))
    strategy = tf.distribute.get_strategy()
    (mine,) = strategy.experimental_local_results(strategy.run(step))
    return mine.numpy()


def own_strategies() -> dict:
    kinds = (
        tf.distribute.MultiWorkerMirroredStrategy,
        tf.distribute.experimental.MultiWorkerMirroredStrategy,
    )
    for kind in kinds:
        assert kind() is tf.distribute.get_strategy()
    with tf.distribute.MultiWorkerMirroredStrategy().scope():
        model = network()
        return seen(model, model.fit(x, y, batch_size=12, verbose=0))


def saving() -> dict:
    """Every worker saves to the same places, loads and goes on."""
    model = network()
    model.fit(x, y, batch_size=12, verbose=0)
    went_on = {}
    for name in ("model.keras", "model.h5", "saved_model"):
        model.save(place(name))
        again = tf.keras.models.load_model(place(name))
        went_on[name] = seen(again, again.fit(x, y, batch_size=12, shuffle=False, verbose=0))
    for name in ("model.weights.h5", "checkpoint/weights"):
        model.save_weights(place(name))
        fresh = network(seed=4)
        fresh.load_weights(place(name))
        went_on[name] = {"weights": fresh.get_weights()}
    model.export(place("export"))
    tf.saved_model.save(model, place("served"))
    return {"went_on": went_on, "weights": model.get_weights()}


def chief_alone() -> dict:
    """Only the chief saves, before training goes on; metrics and statistics are read for it."""
    model = network(batch_norm=True)
    model.fit(x, y, batch_size=12, verbose=0)
    if CHIEF:
        model.save(place("chief.keras"))
        model.save(place("chief.h5"))
    return seen(model, model.fit(x, y, batch_size=12, verbose=0))


def tutorial() -> list[str]:
    """As in TensorFlow's tutorials: all save, all but the chief to folders of their own."""
    folder = FOLDER / "tutorial" / ("" if CHIEF else f"workertemp_{RANK}")
    folder.mkdir(parents=True, exist_ok=True)
    model = network()
    model.fit(x, y, batch_size=12, verbose=0)
    model.save(str(folder / "model.keras"))
    if not CHIEF:
        tf.io.gfile.rmtree(str(folder))
    return sorted(path.name for path in (FOLDER / "tutorial").iterdir() if path.is_file())


def with_callbacks() -> dict:
    folder = FOLDER / "callbacks"
    folder.mkdir(exist_ok=True)
    model = network(batch_norm=True)
    history = model.fit(
        x,
        y,
        batch_size=12,
        epochs=3,
        validation_data=(x, y),
        verbose=0,
        callbacks=[
            callbacks.ModelCheckpoint(str(folder / "best.keras"), save_best_only=True),
            callbacks.ModelCheckpoint(str(folder / "each-{epoch}.h5")),
            callbacks.ModelCheckpoint(
                str(folder / "step.weights.h5"), save_weights_only=True, save_freq=2
            ),
            callbacks.TensorBoard(str(folder / "tensorboard"), histogram_freq=1),
            callbacks.CSVLogger(str(folder / "log.csv")),
            callbacks.BackupAndRestore(str(folder / "backup")),
            callbacks.ReduceLROnPlateau(patience=1),
        ],
    )
    last = network(batch_norm=True, seed=4)
    last.load_weights(str(folder / "each-3.h5"))
    return {**seen(model, history), "saved": last.get_weights()}


class Stops(callbacks.Callback):
    """Ends training in the second step of the second epoch, or at the end of that epoch."""

    def __init__(self, *, at_end: bool) -> None:
        super().__init__()
        self.at_end = at_end
        self.epoch = 0

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if not self.at_end and (self.epoch, batch) == (1, 1):
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch = epoch + 1
        if self.at_end and epoch == 1:
            self.model.stop_training = True


def stopping() -> dict:
    """One worker alone wants to stop, as by a signal or its clock; it stops all."""
    found = {}
    for at_end in (False, True):
        model = network()
        mine = [Stops(at_end=at_end)] if LAST else []
        history = model.fit(x, y, batch_size=12, epochs=4, verbose=0, callbacks=mine)
        found[at_end] = seen(model, history)
    return found


results = {
    "tf_keras": tf.keras.Model is tf_keras.Model,
    "keras_3": "keras" in sys.modules,
    "arrays": arrays(),
    "data_set": data_set(),
    "masks": masks(),
    "own_strategies": own_strategies(),
    "saving": saving(),
    "chief_alone": chief_alone(),
    "tutorial": tutorial(),
    "callbacks": with_callbacks(),
    "stopping": stopping(),
}
(FOLDER / f"rank-{RANK}.pickle").write_bytes(pickle.dumps(results))

model = network()
model.fit(x, y, batch_size=12, epochs=2, verbose=2)
loss, accuracy = model.evaluate(x, y, batch_size=12, verbose=0)
print(f"evaluation: {loss} {accuracy}")
