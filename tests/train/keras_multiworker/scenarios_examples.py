"""The programs of the examples as they are, made small by their arguments alone."""

import contextlib
import io
import os
import runpy
import sys
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from scenarios_basic import outcome

from kubefit_trainer.keras_multiworker import rank, workers

EXAMPLES = Path(__file__).parents[3] / "examples"
DATA = Path(os.environ["EXAMPLES_DATA"])
NOISE = 8


def trained(example, *arguments):
    """The model and its history as the program leaves them, and what it has printed."""
    program = EXAMPLES / example / "train.py"
    printed = io.StringIO()
    argv = [str(program), *map(str, arguments)]
    with mock.patch.object(sys, "argv", argv), contextlib.redirect_stdout(printed):
        left = runpy.run_path(str(program), run_name="__main__")
    print(printed.getvalue())
    return outcome(left["model"], left["history"], printed=printed.getvalue())


def scenario_sentiment(directory):
    arguments = ["--length", 12, "--batch-size", 30, "--epochs", 2, "--width", 8, "--dropout", 0]
    model = directory / "sentiment.keras"
    return trained("10-rnn-sentiment", "--data", DATA / "reviews", *arguments, "--model", model)


def scenario_writer(directory):
    arguments = ["--letters", 8000, "--length", 16, "--batch-size", 33, "--epochs", 2]
    size = ["--width", 16, "--blocks", 1, "--dropout", 0, "--written", 3]
    model = directory / "writer.keras"
    return trained("11-transformer-text", *arguments, *size, "--model", model)


def scenario_translation(directory):
    arguments = ["--samples", 2500, "--epochs", 5, "--width", 32, "--dropout", 0]
    return trained("12-translation", *arguments, "--model", directory / "translation.keras")


def scenario_summarisation(directory):
    arguments = ["--files", 60, "--sentences", 4, "--words", 10, "--vocabulary", 500]
    size = ["--epochs", 3, "--width", 12, "--dropout", 0]
    return trained("13-summarisation", *arguments, *size, "--model", directory / "summary.keras")


def scenario_speech(directory):
    arguments = ["--samples", 45, "--digits", 2, "--epochs", 2, "--width", 8, "--dropout", 0]
    data, model = DATA / "recordings", directory / "speech.keras"
    return trained("14-speech", "--recordings", data, *arguments, "--model", model)


def gan(directory):
    arguments = ["--epochs", 2, "--batch-size", 27, "--width", 4, "--noise", NOISE, "--dropout", 0]
    data, drawn = DATA / "digits" / "test", directory / "drawn"
    return trained("15-gan", "--data", data, *arguments, "--drawn", drawn)


def scenario_gan(directory):
    """With the same noise for any number of workers: each takes its rows of it."""
    table = np.random.default_rng(5).normal(size=(27, NOISE))[rank() :: workers()]
    draw = keras.random.normal

    def noise(shape, **settings):
        if not tf.inside_function():
            return draw(shape, **settings)
        return tf.constant(table, "float32")[: shape[0]]

    with mock.patch.object(keras.random, "normal", noise):
        return gan(directory)


def scenario_own_noise(directory):
    """As it is; with what this worker drew for its first row, step by step."""
    draw, drawn = keras.random.normal, []

    def noise(shape, **settings):
        values = draw(shape, **settings)
        if tf.inside_function():
            tf.py_function(lambda row: drawn.append(row.numpy()), [values[0]], [])
        return values

    with mock.patch.object(keras.random, "normal", noise):
        outcome = gan(directory)
    return {**outcome, "noise": np.array(drawn)}


def scenario_distillation(directory):
    arguments = ["--epochs", 2, "--batch-size", 31, "--width", 8, "--dropout", 0]
    model = directory / "student.keras"
    return trained("16-distillation", "--data", DATA / "digits", *arguments, "--model", model)
