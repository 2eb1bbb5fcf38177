"""Words by number: the vocabulary of the training texts, and the layer that looks words up.

Every worker finds the same vocabulary: it depends on the training texts alone, words of one
frequency in the order of their letters.
"""

from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kubefit.api.recipe import Text
from kubefit_trainer import keras_multiworker
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.recipe.text.corpus import Corpus

LAYER = "words"
PADDING, UNKNOWN = 0, 1
"""Numbers of no word, and of all words that the vocabulary has not."""
FEWEST = 2
"""Words or tokens without which no text is told from another."""
_AT_ONCE = 512


def learn(corpus: Corpus, samples: NDArray[np.int64], text: Text) -> tuple[str, ...]:
    """The most frequent words of these samples.

    Raises:
        ConfigurationError: there are too few to tell texts apart.

    """
    words = most_frequent(_layer(text), corpus.text, samples)
    if len(words) < FEWEST:
        only = f"only the word {words[0]!r}" if words else "no word"
        raise ConfigurationError(
            f"spec.recipe.text.train: the {len(samples)} training texts have {only}, which tells no"
            " class from another; see whether textColumn is the column of the texts"
        )
    return words


def most_frequent(
    layer: keras.layers.TextVectorization,
    text_of: Callable[[int], str],
    samples: NDArray[np.int64],
) -> tuple[str, ...]:
    """What the layer makes of the texts of these samples, as much as it has room for."""

    def batches() -> Iterator[NDArray[np.str_]]:
        for first in range(0, len(samples), _AT_ONCE):
            part = samples[first : first + _AT_ONCE].tolist()
            yield np.array([text_of(sample) for sample in part], dtype=object)

    with keras_multiworker.outside_strategy(), tf.device("CPU"):
        signature = tf.TensorSpec((None,), tf.string)
        layer.adapt(tf.data.Dataset.from_generator(batches, output_signature=signature))
    return tuple(map(str, layer.get_vocabulary(include_special_tokens=False)))


def lookup(words: tuple[str, ...], text: Text) -> keras.layers.TextVectorization:
    """The layer from strings (batch,) to word numbers (batch, `sequenceLength`)."""
    return _layer(text, words)


def _layer(text: Text, words: tuple[str, ...] = ()) -> keras.layers.TextVectorization:
    return keras.layers.TextVectorization(
        max_tokens=text.vocabulary_size,
        output_sequence_length=text.sequence_length,
        vocabulary=list(words) or None,
        name=LAYER,
    )
