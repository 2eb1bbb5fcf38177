"""The curve of a training as read from what its chief prints."""

import math

from kubefit.client.curve import curve_of


def test_the_line_of_a_recipe_gives_every_number_of_its_epoch():
    lines = [
        "backbone=none",
        "epoch=1/2 loss=0.5 accuracy=0.25 seconds=1.20 examples_per_second=100",
        "epoch=2/2 loss=1.5e-05 val_loss=nan seconds=1.00 examples_per_second=120",
    ]
    first, second = curve_of(lines)
    assert first == {
        "epoch": 1.0,
        "loss": 0.5,
        "accuracy": 0.25,
        "seconds": 1.2,
        "examples_per_second": 100.0,
    }
    assert second["loss"] == 1.5e-05
    assert math.isnan(second["val_loss"])


def test_an_epoch_that_was_done_again_after_a_restart_is_there_once_as_it_was_done_last():
    lines = [f"epoch={epoch}/3 loss={loss}" for epoch, loss in [(1, 9), (2, 8), (2, 7), (3, 6)]]
    assert [(x["epoch"], x["loss"]) for x in curve_of(lines)] == [(1, 9), (2, 7), (3, 6)]


def test_what_keras_prints_with_verbose_2_is_a_curve():
    lines = [
        "Epoch 1/2",
        "2/2 - 1s - 250ms/step - accuracy: 0.5000 - loss: 0.7012 - val_loss: 0.6900",
        "Epoch 2/2",
        "2/2 - 0s - 3ms/step - accuracy: 0.7500 - loss: 6.0000e-04 - val_loss: 0.6000",
    ]
    assert curve_of(lines) == [
        {"epoch": 1, "accuracy": 0.5, "loss": 0.7012, "val_loss": 0.69},
        {"epoch": 2, "accuracy": 0.75, "loss": 0.0006, "val_loss": 0.6},
    ]


def test_a_progress_bar_counts_when_its_epoch_is_over():
    bar = "\x1b[1m{}/2\x1b[0m \x1b[32m━━━\x1b[0m \x1b[1m0s\x1b[0m 5ms/step - loss: {}"
    lines = ["Epoch 1/1", bar.format(1, 0.9) + "\x08" * 40 + bar.format(2, 0.8)]
    assert curve_of(lines) == [{"epoch": 1, "loss": 0.8}]
    assert curve_of(["Epoch 1/1", bar.format(1, 0.9)]) == []


def test_a_bar_without_an_end_counts_once_the_next_epoch_or_the_end_is_there():
    lines = ["Epoch 1/2", "3/Unknown 0s 5ms/step - loss: 0.9"]
    assert curve_of(lines, over=False) == []
    assert curve_of(lines) == [{"epoch": 1, "loss": 0.9}]
    lines += ["4/Unknown 0s 5ms/step - loss: 0.8", "Epoch 2/2"]
    assert curve_of(lines, over=False) == [{"epoch": 1, "loss": 0.8}]
    lines += ["1/Unknown 0s 5ms/step - loss: 0.7", "Epoch 1/2"]
    assert curve_of(lines) == [{"epoch": 1, "loss": 0.8}]


def test_exact_lines_are_preferred_to_those_of_keras():
    lines = ["Epoch 1/1", "2/2 - 0s - 3ms/step - loss: 0.1235", "epoch=1/1 loss=0.123456"]
    assert curve_of(lines) == [{"epoch": 1, "loss": 0.123456}]


def test_other_output_is_no_curve():
    assert curve_of(["", "hello", "1/2 of it - that is: much", "epoch=1", "Epoch"]) == []
