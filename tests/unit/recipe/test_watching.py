"""Callbacks that act on the logs of an epoch, on a real model."""

import keras
import numpy as np
import pytest

from kubefit.api.recipe import EarlyStopping, Phase, Schedule, Training
from kubefit_trainer.recipe import optimizers
from kubefit_trainer.recipe.schedules import Rate
from kubefit_trainer.recipe.watching import AverageWeights, Plateau, StopEarly


@pytest.fixture
def model() -> keras.Model:
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])


def weights(model: keras.Model) -> float:
    return float(model.get_weights()[0][0, 0])


def epochs(model: keras.Model, callback: keras.callbacks.Callback, values: list[float], name: str):
    """Ends an epoch with each value; the first weight is the number of the epoch."""
    callback.set_model(model)
    model.stop_training = False
    for epoch, value in enumerate(values):
        model.set_weights([np.full((2, 1), epoch, np.float32)])
        callback.on_epoch_end(epoch, {name: value})
        if model.stop_training:
            break
    callback.on_train_end()


@pytest.mark.parametrize(
    ("spec", "name", "values", "best", "stops"),
    [
        ({}, "val_loss", [3, 2, 1], 2, False),
        ({"patience": 2}, "val_loss", [3, 1, 2, 2, 0], 1, True),
        ({"patience": 2}, "val_loss", [3, 1, 2], 1, False),
        ({"metric": "accuracy", "patience": 1}, "val_accuracy", [0.1, 0.5, 0.5, 0.9], 1, True),
        ({"minDelta": 0.5, "patience": 2}, "val_loss", [3.0, 2.8, 2.6, 0.0], 0, True),
        ({"patience": 1}, "val_loss", [3.0, float("nan")], 0, True),
    ],
)
def test_a_phase_ends_with_its_best_weights(model, spec, name, values, best, stops) -> None:
    epochs(model, StopEarly(EarlyStopping.model_validate(spec)), values, name)
    assert weights(model) == best
    assert model.stop_training is stops


def test_without_restoring_the_last_weights_stay(model) -> None:
    epochs(model, StopEarly(EarlyStopping(restore_best=False)), [1.0, 2.0, 3.0], "val_loss")
    assert weights(model) == 2


@pytest.mark.parametrize("name", ["val_loss", "loss"])
def test_a_plateau_lowers_the_rate_each_time_it_was_long_enough(model, name: str) -> None:
    schedule = Schedule(kind="plateau", factor=0.1, every=2)
    rate = Rate(Phase(epochs=9, learning_rate=1.0, schedule=schedule), steps_per_epoch=1)
    epochs(model, Plateau(schedule, rate), [3, 2, 2, 2, 1, 1], name)
    assert float(rate(0)) == pytest.approx(0.1)
    epochs(model, Plateau(schedule, rate), [1, 1, 1, 1, 1], name)
    assert float(rate(0)) == pytest.approx(0.001)


def test_validation_sees_the_average_and_training_goes_on_from_the_last_step(model) -> None:
    training = Training(epochs=3, optimizer="sgd", ema_epochs=0.5)
    rate = Rate(Phase(epochs=3, learning_rate=0.1), steps_per_epoch=4)
    optimizer = optimizers.make(training, rate, model=model, rates=[], steps_per_epoch=4)
    model.compile(optimizer, "mse")
    seen: list[float] = []

    class Notes(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(weights(model))
            self.average = float(optimizer.averages[0].numpy()[0, 0])

        def on_test_batch_end(self, batch, logs=None):
            assert weights(model) == pytest.approx(self.average)

        def on_epoch_end(self, epoch, logs=None):
            assert weights(model) == pytest.approx(self.average)

    x = np.random.default_rng(0).normal(size=(16, 2)).astype(np.float32)
    notes = Notes()
    y = x.sum(axis=1, keepdims=True)
    model.fit(
        *(x, y),
        batch_size=4,
        epochs=3,
        validation_data=(x, y),
        verbose=0,
        shuffle=False,
        callbacks=[AverageWeights(), notes],
    )
    assert weights(model) == pytest.approx(notes.average)
    steps = [value for value in seen if value != notes.average]
    assert abs(steps[-1] - 1.0) < abs(steps[0] - 1.0)
