"""Writes targets token by token: greedily, or by beam search.

Beams are ranked by the logarithm of their probability; at the end by that over ((5 + tokens) /
6)^penalty, as in Wu et al., Google's Neural Machine Translation System (2016), equation 14.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from kubefit.api.recipe import Decoding
from kubefit_trainer.recipe.pairs.network import DECODER, ENCODER, PROBABILITIES
from kubefit_trainer.recipe.pairs.vocabulary import END, PADDING, START, UNKNOWN

Following = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""From targets begun (rows, places), and a place, to probabilities (rows, outputs) of what follows
upon it."""
_NEVER = (PADDING, UNKNOWN, START)
_LOWEST = -1e9


class Writer(keras.Model):  # type: ignore[misc]
    """From inputs of a trained model to the tokens (batch, places) that it writes.

    Looks at the texts alone; what is behind the end is padding. Shares the layers of the model, and
    is never saved.
    """

    def __init__(self, model: keras.Model, decoding: Decoding) -> None:
        """Of a model that has the encoder and the decoder that `network.build` makes."""
        super().__init__()
        self._encoder, decoder = model.get_layer(ENCODER), model.get_layer(DECODER)
        # Of all places one is looked at: the others need no probability for each token.
        self._last = decoder.get_layer(PROBABILITIES)
        self._decoder = keras.Model(decoder.inputs, self._last.input)
        self._places = decoder.inputs[2].shape[1]
        self._decoding = decoding
        self.jit_compile = False

    def call(self, inputs: Any) -> tf.Tensor:
        """Token numbers of the best target of each text."""
        source = inputs[0]
        encoded = self._encoder(source, training=False)
        beams = self._decoding.beams
        source, encoded = (tf.repeat(one, beams, axis=0) for one in (source, encoded))

        def following(begun: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
            features = self._decoder([source, encoded, begun], training=False)
            return self._last(tf.gather(features, place, axis=1))

        return best(
            following,
            rows=tf.shape(inputs[0])[0],
            places=self._places,
            outputs=self._last.units,
            beams=beams,
            penalty=self._decoding.length_penalty,
        )


def best(
    following: Following,
    *,
    rows: int | tf.Tensor,
    places: int,
    outputs: int,
    beams: int,
    penalty: float,
) -> tf.Tensor:
    """The best of the targets that were followed for each row: int32 (rows, places).

    Args:
        following: What may come next, for rows × beams targets begun at once.
        rows: Number of targets to write.
        places: Tokens of a target at most, with its end.
        outputs: Number of tokens that there are.
        beams: Targets that are followed at once; with 1 it is greedy decoding.
        penalty: How much longer ones are preferred at the end.

    """
    allowed = tf.constant([0.0 if token not in _NEVER else _LOWEST for token in range(outputs)])
    # A target that has ended goes on with padding, which costs nothing.
    ended = tf.constant([0.0 if token == PADDING else _LOWEST for token in range(outputs)])

    def step(place: tf.Tensor, begun: tf.Tensor, scores: tf.Tensor, over: tf.Tensor) -> Any:
        flat = tf.reshape(begun[:, :, :-1], [rows * beams, places])
        found = tf.math.log(tf.maximum(following(flat, place), 1e-30)) + allowed
        found = tf.reshape(found, [rows, beams, outputs])
        found = tf.where(over[:, :, None], ended, found) + scores[:, :, None]
        scores, chosen = tf.math.top_k(tf.reshape(found, [rows, beams * outputs]), beams)
        parents, tokens = chosen // outputs, chosen % outputs
        begun = tf.gather(begun, parents, batch_dims=1)
        before, after = begun[:, :, : place + 1], begun[:, :, place + 2 :]
        begun = tf.concat([before, tokens[:, :, None], after], axis=2)
        begun = tf.ensure_shape(begun, [None, beams, places + 1])
        over = tf.gather(over, parents, batch_dims=1) | (tokens == END)
        return place + 1, begun, scores, over

    def unfinished(place: tf.Tensor, begun: tf.Tensor, scores: tf.Tensor, over: tf.Tensor) -> Any:
        return (place < places) & ~tf.reduce_all(over)

    start = tf.fill([rows, beams, 1], START)
    begun = tf.concat([start, tf.fill([rows, beams, places], PADDING)], axis=2)
    # All beams begin alike: only the first one may be followed at first.
    scores = tf.tile([[0.0] + [_LOWEST] * (beams - 1)], [rows, 1])
    over = tf.zeros([rows, beams], tf.bool)
    _, begun, scores, _ = tf.while_loop(
        unfinished, step, (tf.constant(0), begun, scores, over), parallel_iterations=1
    )
    tokens = begun[:, :, 1:]
    length = tf.reduce_sum(tf.cast(tokens != PADDING, tf.float32), axis=2)
    ranked = scores / ((5.0 + length) / 6.0) ** penalty
    return tf.gather(tokens, tf.argmax(ranked, axis=1), axis=1, batch_dims=1)
