"""The Keras model of sequence to sequence: a Transformer's encoder and decoder.

Vaswani et al., Attention Is All You Need (2017), with learned places. Made of Keras' own layers and
operations only, so that whoever loads it needs nothing else.
"""

from typing import Any

import keras
from keras import ops

from kubefit.api.recipe import EncoderDecoder, Precision, Text, TextRecipe
from kubefit_trainer.recipe.network import computing_in
from kubefit_trainer.recipe.pairs.vocabulary import PADDING

ENCODER, DECODER = "encoder", "decoder"
"""Names of the two models within the model."""
PROBABILITIES = "probabilities"
"""Name of the last layer of the decoder."""


def build(recipe: TextRecipe, *, outputs: int) -> keras.Model:
    """The model, not compiled; probabilities of what comes next, at each place of a target.

    From int32 (batch, tokens) of texts and (batch, 1 + target tokens) of targets, which begin with
    `START`, to float32 (batch, 1 + target tokens, outputs): at each place what follows upon all up
    to it. To be called in the scope of the strategy, alike on every worker.
    """
    text = recipe.text
    with computing_in(recipe.training.precision or Precision.FLOAT32):
        source = keras.Input((text.sequence_length,), dtype="int32", name="source")
        begun = keras.Input((1 + text.longest_target,), dtype="int32", name="begun")
        encoder = _encoder(text)
        decoder = _decoder(text, encoder.output, outputs=outputs)
        return keras.Model([source, begun], decoder([source, encoder(source), begun]))


def _encoder(text: Text) -> keras.Model:
    """From (batch, tokens) to (batch, tokens, embedding)."""
    spec = _spec(text)
    source = keras.Input((text.sequence_length,), dtype="int32")
    features = _embedded(text, source, tokens=text.vocabulary_size, length=text.sequence_length)
    there = ops.expand_dims(ops.not_equal(source, PADDING), 1)
    for _ in range(spec.layers):
        features = _added(features, _attention(text)(features, features, attention_mask=there))
        features = _added(features, _dense(text, features))
    return keras.Model(source, features, name=ENCODER)


def _decoder(text: Text, like: Any, *, outputs: int) -> keras.Model:
    """From texts, what the encoder made of them (`like`), and targets begun, to probabilities."""
    spec, length = _spec(text), 1 + text.longest_target
    source = keras.Input((text.sequence_length,), dtype="int32")
    encoded = keras.Input(like.shape[1:], dtype=like.dtype)
    begun = keras.Input((length,), dtype="int32")
    there = ops.expand_dims(ops.not_equal(source, PADDING), 1)
    features = _embedded(text, begun, tokens=outputs, length=length)
    for _ in range(spec.layers):
        # Padding only follows: no place before it sees it.
        features = _added(features, _attention(text)(features, features, use_causal_mask=True))
        features = _added(features, _attention(text)(features, encoded, attention_mask=there))
        features = _added(features, _dense(text, features))
    probabilities = keras.layers.Dense(
        outputs, activation="softmax", dtype="float32", name=PROBABILITIES
    )(features)
    return keras.Model([source, encoded, begun], probabilities, name=DECODER)


def _spec(text: Text) -> EncoderDecoder:
    return text.network.encoder_decoder or EncoderDecoder()


def _embedded(text: Text, numbers: Any, *, tokens: int, length: int) -> Any:
    places = ops.cumsum(ops.ones_like(numbers), axis=1) - 1
    features = keras.layers.Embedding(tokens, text.embedding)(numbers)
    features = features + keras.layers.Embedding(length, text.embedding)(places)
    return keras.layers.Dropout(text.dropout)(features)


def _attention(text: Text) -> keras.layers.MultiHeadAttention:
    heads = _spec(text).heads
    return keras.layers.MultiHeadAttention(heads, text.embedding // heads, dropout=text.dropout)


def _dense(text: Text, features: Any) -> Any:
    layers = keras.layers
    inner = layers.Dense(_spec(text).feed_forward, activation="relu")(features)
    return layers.Dropout(text.dropout)(layers.Dense(text.embedding)(inner))


def _added(features: Any, change: Any) -> Any:
    return keras.layers.LayerNormalization(epsilon=1e-6)(features + change)
