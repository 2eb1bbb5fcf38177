"""The Keras model of a recipe of texts: word numbers in, class probabilities out.

Made of Keras' own layers and operations only, so that whoever loads it needs nothing else.
"""

from typing import Any

import keras
from keras import ops

from kubefit.api.recipe import Precision, Recurrent, Text, TextRecipe, Transformer
from kubefit_trainer.recipe.network import computing_in
from kubefit_trainer.recipe.text.vocabulary import PADDING


def build(recipe: TextRecipe, *, classes: int) -> keras.Model:
    """The model, not compiled; int32 (batch, words) to (batch, classes).

    To be called in the scope of the strategy, alike on every worker.
    """
    text, layers = recipe.text, keras.layers
    with computing_in(recipe.training.precision or Precision.FLOAT32):
        numbers = keras.Input((text.sequence_length,), dtype="int32", name="words")
        features = _read(text, numbers)
        features = layers.Dropout(text.dropout, name="features")(features)
        outputs = layers.Dense(
            classes, activation="softmax", dtype="float32", name="probabilities"
        )(features)
        return keras.Model(numbers, outputs)


def _read(text: Text, numbers: Any) -> Any:
    network = text.network
    if network.transformer is not None:
        return _attend(text, network.transformer, numbers)
    kind = keras.layers.LSTM if network.lstm is not None else keras.layers.GRU
    spec = network.lstm or network.gru or Recurrent()
    features = keras.layers.Embedding(text.vocabulary_size, text.embedding, mask_zero=True)(numbers)
    for number in range(spec.layers):
        # cuDNN refuses texts without a word, and what was traced with it runs on GPUs only.
        layer = kind(spec.units, return_sequences=number + 1 < spec.layers, use_cudnn=False)
        features = (keras.layers.Bidirectional(layer) if spec.bidirectional else layer)(features)
    return features


def _attend(text: Text, spec: Transformer, numbers: Any) -> Any:
    layers, width = keras.layers, text.embedding
    there = ops.not_equal(numbers, PADDING)
    places = ops.cumsum(ops.ones_like(numbers), axis=1) - 1
    features = layers.Embedding(text.vocabulary_size, width)(numbers)
    features = features + layers.Embedding(text.sequence_length, width)(places)
    for _ in range(spec.layers):
        seen = layers.MultiHeadAttention(spec.heads, width // spec.heads, dropout=text.dropout)(
            features, features, attention_mask=ops.expand_dims(there, 1)
        )
        features = layers.LayerNormalization(epsilon=1e-6)(features + seen)
        dense = layers.Dense(spec.feed_forward, activation="relu")(features)
        dense = layers.Dropout(text.dropout)(layers.Dense(width)(dense))
        features = layers.LayerNormalization(epsilon=1e-6)(features + dense)
    # The mean over the words; a text without any gets zeros.
    weight = ops.expand_dims(ops.cast(there, features.dtype), 2)
    words = ops.maximum(ops.sum(weight, axis=1), 1)
    return ops.sum(features * weight, axis=1) / words
