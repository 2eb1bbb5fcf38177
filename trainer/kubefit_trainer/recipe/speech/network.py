"""The Keras model of a recipe of recordings: spectrograms in; probabilities of classes, or of
characters over the time, out.

Made of Keras' own layers only, so that whoever loads it needs nothing else.
"""

from typing import Any

import keras

from kubefit.api.recipe import Precision, Reader, SpeechRecipe, Transcription
from kubefit.api.recipe.speech import FILTERS_OF_TIME
from kubefit_trainer.recipe.network import computing_in

_WIDTH = 5
"""Frames that a convolution over the time hears."""


def build(recipe: SpeechRecipe, *, classes: int) -> keras.Model:
    """The model, not compiled; decibels (batch, mels, columns) to (batch, classes).

    With `transcription` to logarithms of probabilities (batch, frames, classes), the first of the
    classes being the blank. To be called in the scope of the strategy, alike on every worker.
    """
    speech, layers = recipe.speech, keras.layers
    shape = (speech.mels, speech.columns)
    with computing_in(recipe.training.precision or Precision.FLOAT32):
        inputs = keras.Input(shape, name="spectrogram")
        # Each by itself: however loud it is, and whatever else is in the batch.
        features = layers.LayerNormalization(axis=[1, 2], center=False, scale=False)(inputs)
        features = layers.Reshape((*shape, 1))(features)
        for place, filters in enumerate(speech.network.filters):
            features = layers.Conv2D(filters, 3, padding="same", activation="relu")(features)
            of_time = 2 if speech.transcription is None or place < FILTERS_OF_TIME else 1
            features = layers.MaxPooling2D((2, of_time))(features)
        if speech.transcription is not None:
            features = _over_time(features, speech.transcription)
        else:
            # The mean over time; how high a sound is must not be lost.
            features = layers.Flatten()(keras.ops.mean(features, axis=2))
        features = layers.Dropout(speech.network.dropout, name="features")(features)
        written = speech.transcription is not None
        outputs = layers.Dense(
            classes,
            # CTC takes these for logits: they are normalised already, which changes nothing.
            activation="log_softmax" if written else "softmax",
            dtype="float32",
            name="log_probabilities" if written else "probabilities",
        )(features)
        return keras.Model(inputs, outputs)


def _over_time(maps: Any, spec: Transcription) -> Any:
    """Maps (batch, mels, frames, filters) to what is heard in each frame (batch, frames, units)."""
    layers = keras.layers
    mels, frames, filters = maps.shape[1:]
    features = layers.Reshape((frames, mels * filters))(layers.Permute((2, 1, 3))(maps))
    for _ in range(spec.layers):
        if spec.reader is Reader.CONVOLUTION:
            reader = layers.Conv1D(spec.units, _WIDTH, padding="same", activation="relu")
        else:
            # Not cuDNN's: what was traced with it runs on GPUs only.
            gru = layers.GRU(spec.units, return_sequences=True, use_cudnn=False)
            reader = layers.Bidirectional(gru)
        features = reader(features)
    return features
