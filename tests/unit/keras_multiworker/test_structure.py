"""What is compared of two processes' models."""

import keras

from kubefit_trainer.keras_multiworker import structure


def model(activation: str = "softmax") -> keras.Model:
    layers = keras.layers
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Dense(2, activation=activation)(layers.Softmax()(inputs)))


def test_what_a_process_made_before_makes_no_difference() -> None:
    keras.utils.clear_session()
    first, later = model(), model()
    assert [layer.name for layer in first.layers] != [layer.name for layer in later.layers]
    assert structure.of_model(first) == structure.of_model(later)


def test_another_activation_is_a_difference() -> None:
    one, other = structure.of_model(model()), structure.of_model(model("sigmoid"))
    assert {key for key in one if one[key] != other[key]} == {"activation of layer 2"}
