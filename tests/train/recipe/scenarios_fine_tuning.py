"""Two-phase fine-tuning of a saved network with batch normalization, on a group of workers."""

from pathlib import Path

import keras
import numpy as np

from kubefit.api.recipe import Recipe, resolve
from kubefit_trainer import keras_multiworker
from kubefit_trainer.callbacks import of_keras
from kubefit_trainer.callbacks.reporter import Reporter
from kubefit_trainer.recipe import batch_size, inputs, job

SAMPLES = 45
PHASES = [
    {"epochs": 2, "unfreeze": "none", "learningRate": 0.01},
    {
        "epochs": 3,
        "unfreeze": "1 block",
        "layerDecay": 0.5,
        "learningRate": 0.005,
        "schedule": {"kind": "cosine", "warmupEpochs": 0.5, "floor": 0.1},
    },
]
HELD = 0.2


def recipe(**training: object) -> dict[str, object]:
    return {
        "data": {
            "train": {"npz": "train.npz"},
            "test": {"npz": "train.npz"},
            "imageSize": [8, 8],
            "channels": 1,
            "validationSplit": HELD,
        },
        "model": {
            "backbone": {
                "saved": "tiny.keras",
                "layer": "pooled",
                "preprocessing": "symmetric",
                "dropout": 0,
            }
        },
        "training": {
            "phases": PHASES,
            "globalBatchSize": 8,
            "seed": 3,
            "optimizer": "adamw",
            "weightDecay": 0.1,
            "clipNorm": 1.0,
            "l2": 0.001,
            **training,
        },
    }


def scenario_two_phases(directory):
    return trained(recipe(), directory)


def scenario_averaged(directory):
    return trained(recipe(emaEpochs=0.5, earlyStopping={"patience": 2}), directory)


def scenario_stops_early(directory):
    """A phase whose learning rate makes everything worse, then one that changes nothing."""
    phases = [
        {"epochs": 4, "unfreeze": "all", "learningRate": 0.5, "earlyStopping": {"patience": 1}},
        {"epochs": 2, "unfreeze": "none", "learningRate": 1e-12},
    ]
    return trained(recipe(phases=phases, clipNorm=1000.0, weightDecay=0.0, l2=0.0), directory)


def scenario_found_rate(directory):
    phases = [{"epochs": 2, "unfreeze": "all", "learningRate": "auto"}]
    return trained(recipe(phases=phases), directory)


def scenario_found_batch(directory):
    """The learning rate is to be found too, with the batch size that was found."""
    batch_size._STEPS_AN_EPOCH = 1
    phases = [{"epochs": 2, "unfreeze": "all", "learningRate": "auto"}]
    return trained(recipe(phases=phases, globalBatchSize="auto"), directory)


def trained(whole, directory):
    parsed = resolve(Recipe.model_validate(whole))
    volume = directory / f"volume-{keras_multiworker.rank()}"
    write_volume(volume)
    strategy = keras_multiworker.strategy()
    reporter = reported()
    data = inputs.open_inputs(parsed, volume)
    model = job.build(parsed, strategy, volume=volume, classes=3)
    start = model.get_weights()
    parsed = job.settled(model, parsed, data, strategy=strategy)
    settled = [np.array_equal(a, b) for a, b in zip(start, model.get_weights(), strict=True)]
    base = model.get_layer("backbone")
    before = [w.copy() for w in base.get_weights()]
    notes = Notes(reporter)
    found = []
    history = job.fit(
        model, parsed, data, strategy=strategy, callbacks=[notes], record=found.append
    )
    evaluation = job.evaluate(model, parsed, data.evaluation, strategy=strategy)
    images, _ = archive()
    with keras_multiworker.outside_strategy():
        predictions = model(images[..., None].astype(np.float32), training=False).numpy()
    return {
        "history": history,
        "evaluation": evaluation,
        "predictions": predictions,
        "weights": model.get_weights(),
        "backbone": dict(zip([w.path for w in base.weights], base.get_weights(), strict=True)),
        "backbone_before": dict(zip([w.path for w in base.weights], before, strict=True)),
        "trainable": notes.trainable,
        "epochs": notes.epochs,
        "found": [recipe.training.phases[0].learning_rate for recipe in found],
        "batch": parsed.training.global_batch_size,
        "unchanged": all(settled),
        "read": (volume / "tiny.keras").exists(),
    }


_reporters = []


def reported():
    """The one reporter of this process, which sees every call of fit."""
    if not _reporters:
        _reporters.append(Reporter(None))
        of_keras.install(_reporters[0], workers=keras_multiworker.workers())
    return _reporters[0]


class Notes(keras.callbacks.Callback):
    """What is trained in each epoch, and what a worker would tell of it."""

    def __init__(self, reporter):
        super().__init__()
        self.reporter = reporter
        self.trainable = []
        self.epochs = []

    def on_epoch_end(self, epoch, logs=None):
        self.trainable.append(sorted(w.path for w in self.model.trainable_weights))

    def on_train_batch_end(self, batch, logs=None):
        report = self.reporter.report
        self.epochs.append((report.epoch, report.epochs))


def archive():
    labels = np.arange(SAMPLES) % 3
    noise = np.random.default_rng(0).integers(0, 100, (SAMPLES, 8, 8))
    return (noise + 50 * labels[:, None, None]).astype(np.uint8), labels


def write_volume(volume: Path):
    """The images for everybody; the network for the chief alone, who hands it on."""
    volume.mkdir(exist_ok=True)
    images, labels = archive()
    np.savez(volume / "train.npz", x=images, y=labels)
    if keras_multiworker.is_chief() and not (volume / "tiny.keras").exists():
        with keras_multiworker.outside_strategy():
            network().save(volume / "tiny.keras")


def network() -> keras.Model:
    """Two residual blocks with batch normalization whose statistics are not the initial ones."""
    keras.utils.set_random_seed(1)
    layers = keras.layers
    x = inputs_ = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, padding="same", name="stem")(x)
    for i in range(2):
        y = layers.Conv2D(4, 3, padding="same", name=f"conv{i}")(x)
        y = layers.BatchNormalization(name=f"norm{i}")(y)
        x = layers.add([x, layers.ReLU()(y)])
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    model = keras.Model(inputs_, layers.Dense(5, name="old_head")(x))
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_mean.assign(0.1 * np.arange(4))
            layer.moving_variance.assign(1.0 + 0.2 * np.arange(4))
    return model
