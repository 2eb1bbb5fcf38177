"""Steps of the optimizers against the formulas they stand for."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kubefit.api.recipe import Optimizer, Phase, Schedule, Training
from kubefit_trainer.recipe import optimizers, range_test
from kubefit_trainer.recipe.schedules import Rate

STEPS = 10


def model() -> keras.Model:
    dense = keras.layers.Dense
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((3,)), dense(4, name="low"), dense(2, name="high")])


def made(net: keras.Model, *, rates=(), rate: float = 0.1, **training: object):
    spec = Training.model_validate({"epochs": 2, **training})
    schedule = Rate(Phase(epochs=2, learning_rate=rate), steps_per_epoch=STEPS)
    return optimizers.make(spec, schedule, model=net, rates=rates, steps_per_epoch=STEPS)


def gradients(net: keras.Model) -> list[tf.Tensor]:
    random = np.random.default_rng(1)
    return [tf.constant(random.normal(size=w.shape), tf.float32) for w in net.trainable_variables]


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd", "rmsprop"])
def test_a_share_of_the_rate_is_a_share_of_the_step(kind: str) -> None:
    whole, shared = model(), model()
    before = [w.numpy() for w in whole.trainable_variables]
    low = shared.get_layer("low").kernel
    for net, rates in ((whole, []), (shared, [(low, 0.25)])):
        optimizer = made(net, rates=rates, optimizer=kind, weightDecay=0.1)
        optimizer.apply(gradients(net), net.trainable_variables)
    for old, one, other in zip(
        before, whole.trainable_variables, shared.trainable_variables, strict=True
    ):
        share = 0.25 if other is low else 1.0
        np.testing.assert_allclose(other - old, share * (one - old), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd", "rmsprop"])
def test_without_shares_the_steps_are_those_of_keras(kind: str) -> None:
    ours, plain = model(), model()
    optimizer = made(ours, optimizer=kind, weightDecay=0.1)
    expected = optimizers.PLAIN[kind](learning_rate=0.1, weight_decay=0.1)
    expected.exclude_from_weight_decay(var_names=["bias"])
    for _ in range(3):
        optimizer.apply(gradients(ours), ours.trainable_variables)
        expected.apply(gradients(plain), plain.trainable_variables)
    for one, other in zip(ours.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_biases_and_normalization_do_not_decay() -> None:
    net = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4), keras.layers.BatchNormalization()]
    )
    for variable in net.trainable_variables:
        variable.assign(tf.ones(variable.shape))
    optimizer = made(net, optimizer="sgd", weightDecay=0.5)
    optimizer.apply([tf.zeros(w.shape) for w in net.trainable_variables], net.trainable_variables)
    kernel, *rest = net.trainable_variables
    np.testing.assert_allclose(kernel, 1 - 0.1 * 0.5, rtol=1e-6)
    for variable in rest:
        np.testing.assert_array_equal(variable, 1.0)


def test_clipping_bounds_the_norm_of_the_step() -> None:
    net = model()
    before = [w.numpy() for w in net.trainable_variables]
    optimizer = made(net, optimizer="sgd", clipNorm=0.5, rate=1.0)
    optimizer.apply([100 * g for g in gradients(net)], net.trainable_variables)
    step = [new - old for new, old in zip(net.trainable_variables, before, strict=True)]
    assert float(tf.linalg.global_norm(step)) == pytest.approx(0.5, rel=1e-4)


def rate_of(epochs: int = 4, **schedule: object) -> list[float]:
    phase = Phase(epochs=epochs, learning_rate=0.5, schedule=Schedule.model_validate(schedule))
    rate = Rate(phase, steps_per_epoch=STEPS)
    return [float(rate(step)) for step in range(epochs * STEPS)]


def test_the_constant_rate_is_the_peak() -> None:
    assert set(rate_of()) == {0.5}


def test_the_warm_up_is_a_line() -> None:
    rates = rate_of(warmupEpochs=0.5)
    np.testing.assert_allclose(rates[:5], np.linspace(0.1, 0.5, 5), rtol=1e-6)
    assert set(rates[5:]) == {0.5}


def test_the_cosine_ends_at_its_floor() -> None:
    rates = rate_of(kind="cosine", warmupEpochs=1, floor=0.1)
    assert rates[STEPS] == max(rates) == 0.5
    assert rates[STEPS:] == sorted(rates[STEPS:], reverse=True)
    assert rates[STEPS + 15] == pytest.approx(0.5 * (0.1 + 0.9 / 2), rel=1e-5)
    assert rates[-1] == pytest.approx(0.05, rel=0.05)


def test_steps_multiply_by_their_factor() -> None:
    rates = rate_of(kind="step", factor=0.1, every=1, floor=0.01)
    assert rates[::STEPS] == pytest.approx([0.5, 0.05, 0.005, 0.005])
    assert rates[STEPS - 1] == 0.5


def test_a_plateau_lowers_the_rate_when_told() -> None:
    phase = Phase(
        epochs=4, learning_rate=0.5, schedule=Schedule(kind="plateau", factor=0.5, floor=0.2)
    )
    rate = Rate(phase, steps_per_epoch=STEPS)
    seen = []
    for _ in range(4):
        seen.append(float(rate(0)))
        rate.lower()
    assert seen == pytest.approx([0.5, 0.25, 0.125, 0.1])


def test_the_average_follows_the_weights_with_its_time_constant() -> None:
    net = model()
    optimizer = made(net, optimizer="sgd", emaEpochs=0.5)
    momentum = np.exp(-1 / (0.5 * STEPS))
    expected = None
    for _ in range(4):
        optimizer.apply(gradients(net), net.trainable_variables)
        kernel = net.get_layer("low").kernel.numpy()
        expected = kernel if expected is None else momentum * expected + (1 - momentum) * kernel
    np.testing.assert_allclose(optimizer.averages[0], expected, rtol=1e-5)


def test_the_range_test_tries_rates_over_six_decades() -> None:
    for kind in Optimizer:
        tried = range_test.rates(kind)
        assert len(tried) == range_test.STEPS
        assert tried[-1] / tried[0] == pytest.approx(1e6)


def test_the_rate_found_is_a_tenth_of_where_the_loss_is_smallest() -> None:
    tried = list(np.geomspace(1e-6, 1.0, 61))
    losses = [1.0 if rate < 1e-4 else max(0.2, 1.0 - (i - 20) / 20) for i, rate in enumerate(tried)]
    losses[45:] = [5.0] * 16
    found = range_test.choose(tried, losses)
    assert 1e-4 < found < tried[45] / 10


def test_without_a_fall_of_the_loss_the_usual_rate_is_taken() -> None:
    tried = list(np.geomspace(1e-6, 1.0, 5))
    for losses in ([1.0, 1.1, 1.2, 1.3, 1.4], [float("nan")], [1.0, float("inf")]):
        assert range_test.choose(tried, losses) == range_test.FALLBACK


def test_a_loss_that_runs_away_ends_the_range_test() -> None:
    assert not range_test.diverged([1.0, 0.9, 1.1])
    assert range_test.diverged([1.0, 0.1, 30.0])
    assert range_test.diverged([1.0, float("nan")])
