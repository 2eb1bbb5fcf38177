"""A state is compared with the model that is to have it."""

import keras
import numpy as np
import pytest

from kubefit_trainer.keras_multiworker import model_state
from kubefit_trainer.keras_multiworker.model_state import Arrays, OtherModelError


def network(*more: keras.layers.Layer) -> keras.Model:
    layers = [keras.layers.Dense(3), keras.layers.Dropout(0.1), *more]
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def state_of(model: keras.Model) -> tuple[Arrays, dict[str, str]]:
    arrays = {named.key: named.variable.numpy() for named in model_state._variables(model)}
    return arrays, model_state.describe(model)


def test_what_callbacks_and_histories_remember_is_no_part_of_a_model() -> None:
    arrays, names = state_of(network())
    others = dict.fromkeys(("callback/0/best", "history/0/loss", "local/metric/0"), np.zeros(2))
    model_state.check(network(), arrays | others, names)


def test_a_weight_too_many_and_one_too_few_are_named() -> None:
    small, large = network(), network(keras.layers.Dense(2, name="last"))
    with pytest.raises(OtherModelError, match=r"its weight '.*last/kernel' has no place"):
        model_state.check_weights(small, *state_of(large))
    with pytest.raises(OtherModelError, match=r"it has no weight '.*last/kernel'"):
        model_state.check_weights(large, *state_of(small))
