"""Programs that save and log from every worker at once."""

import json

import keras
import numpy as np
import tensorflow as tf
from scenarios_basic import CLASSES, FEATURES, arrays, dense, outcome

from kubefit_trainer import keras_multiworker

CALLBACKS = keras.callbacks


def scenario_save(directory):
    """Every worker saves, loads and goes on."""
    x, y = arrays()
    model = dense()
    model.fit(x, y, batch_size=10, epochs=1, verbose=0)
    loaded = []
    for name in ("model.keras", "second.keras"):
        model.save(directory / name)
        again = keras.saving.load_model(directory / name)
        history = again.fit(x, y, batch_size=10, epochs=1, verbose=0)
        loaded.append(outcome(again, history))
    model.save_weights(directory / "model.weights.h5")
    fresh = dense()
    fresh.load_weights(directory / "model.weights.h5")
    model.export(directory / "export", verbose=False)
    with keras_multiworker.outside_strategy():
        exported = tf.saved_model.load(str(directory / "export"))
        served = exported.serve(x[:4])
    return {
        "loaded": loaded,
        "weights": model.get_weights(),
        "fresh": fresh.get_weights(),
        "served": served.numpy(),
        "predicted": model.predict(x[:4], verbose=0),
        "files": sorted(path.name for path in directory.iterdir()),
    }


def scenario_chief_only(directory):
    """The pattern of many programs: the chief alone saves, nobody waits for anybody."""
    x, y = arrays()
    model = dense()
    model.fit(x, y, batch_size=10, epochs=1, verbose=0)
    if tf.distribute.get_strategy().cluster_resolver.task_id in (0, None):
        model.save(directory / "chief.keras")
    history = model.fit(x, y, batch_size=10, epochs=1, verbose=0)
    return outcome(model, history)


def batch_norm_model():
    keras.utils.set_random_seed(5)
    model = keras.Sequential(
        [
            keras.Input((FEATURES,)),
            keras.layers.Dense(8),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def scenario_callbacks(directory):
    x, y = arrays()
    folder = directory / "callbacks"
    model = batch_norm_model()
    history = model.fit(
        x,
        y,
        batch_size=10,
        epochs=3,
        verbose=0,
        validation_data=(x, y),
        callbacks=[
            CALLBACKS.ModelCheckpoint(folder / "best.keras", save_best_only=True),
            CALLBACKS.ModelCheckpoint(
                str(folder / "each-{epoch}.weights.h5"), save_weights_only=True
            ),
            CALLBACKS.ModelCheckpoint(
                str(folder / "step.weights.h5"), save_weights_only=True, save_freq=2
            ),
            CALLBACKS.TensorBoard(folder / "tensorboard", histogram_freq=1, profile_batch=2),
            CALLBACKS.CSVLogger(folder / "log.csv"),
            CALLBACKS.BackupAndRestore(folder / "backup", delete_checkpoint=False),
            CALLBACKS.EarlyStopping(patience=1, restore_best_weights=True),
            CALLBACKS.ReduceLROnPlateau(patience=1),
            CALLBACKS.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
            CALLBACKS.TerminateOnNaN(),
        ],
    )
    last = batch_norm_model()
    last.load_weights(folder / "each-3.weights.h5")
    events = sorted(
        str(path.relative_to(folder)) for path in (folder / "tensorboard").rglob("*tfevents*")
    )
    return outcome(
        model,
        history,
        files=sorted(path.name for path in folder.iterdir()),
        events=[event.split(".")[0] for event in events],
        csv=(folder / "log.csv").read_text().splitlines(),
        backup=json.loads((folder / "backup" / "training_metadata.json").read_text()),
        saved=last.get_weights(),
    )


class Resumable(keras.callbacks.Callback):
    def __init__(self, stop_after):
        super().__init__()
        self.stop_after = stop_after

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.stop_after:
            raise KeyboardInterrupt


def scenario_backup_and_restore(directory):
    """Interrupted after two of four epochs and started again, like a program that never stopped."""
    x, y = arrays()
    results = {}
    for name, stops in (("whole", [None]), ("resumed", [2, None])):
        for stop in stops:
            model = dense()
            backup = CALLBACKS.BackupAndRestore(directory / f"backup-{name}")
            try:
                model.fit(
                    x,
                    y,
                    batch_size=10,
                    epochs=4,
                    verbose=0,
                    shuffle=False,
                    callbacks=[backup, Resumable(stop)],
                )
            except KeyboardInterrupt:
                continue
        results[name] = [np.array(weight) for weight in model.get_weights()]
    return results


class StopsOnLastRank(keras.callbacks.Callback):
    """Sets the flag on one worker only, in the middle of an epoch or at its end."""

    def __init__(self, rank, batch=None):
        super().__init__()
        self.rank = rank
        self.batch = batch
        self.seen = 0

    def on_train_batch_end(self, batch, logs=None):
        self.seen += 1
        if self.rank and batch == self.batch:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        if self.rank and self.batch is None:
            self.model.stop_training = True


def scenario_stop(directory):
    x, y = arrays()
    resolver = tf.distribute.get_strategy().cluster_resolver
    last = resolver.task_id == len(resolver.cluster_spec().as_dict().get("worker", [0])) - 1
    results = []
    for batch in (1, None):
        callback = StopsOnLastRank(last or resolver.task_id is None, batch)
        model = dense()
        history = model.fit(x, y, batch_size=10, epochs=5, verbose=0, callbacks=[callback])
        results.append((callback.seen, len(history.epoch)))
    return results
