"""Tokens by number: what the training texts and targets have, and the layers that look them up.

Every worker finds the same: both depend on the training pairs alone, tokens of one frequency in one
order.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kubefit.api.recipe import Text, Tokens
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight.documents import Texts
from kubefit_trainer.preflight.pairs import joined
from kubefit_trainer.recipe.text.vocabulary import FEWEST, most_frequent

PADDING, UNKNOWN, START, END = range(4)
"""Numbers of no token, of all tokens that are not known, and of where a target begins and ends."""
MARKS = ("[start of target]", "[end of target]")
"""Names of the last two, which no text has as a token: they are longer than a character and have
white space within."""
OF_TEXTS, OF_TARGETS = "text_tokens", "target_tokens"
"""Names of the layers that look tokens up."""


def learn(texts: Texts, samples: NDArray[np.int64], text: Text, *, column: str) -> tuple[str, ...]:
    """The most frequent tokens of these samples; `column` is the field that tells where they are.

    Raises:
        ConfigurationError: there are too few to tell one text from another.

    """
    found = most_frequent(_layer(text, length=None), texts.__getitem__, samples)
    if len(found) < FEWEST:
        only = f"only {found[0]!r}" if found else "nothing"
        raise ConfigurationError(
            f"spec.recipe.text.train: of {text.tokens} the {len(samples)} training pairs have"
            f" {only} in the column {column}, which tells no text from another; see whether that is"
            " the right column, and whether tokens should be words or characters"
        )
    return found


def outputs(tokens: Sequence[str]) -> list[str]:
    """Names of all that a target is made of, by number, given its tokens."""
    return ["", "[UNK]", *MARKS, *tokens]


def of_texts(tokens: Sequence[str], text: Text) -> keras.layers.TextVectorization:
    """The layer from strings (batch,) to numbers (batch, `sequenceLength`)."""
    return _layer(text, tokens, length=text.sequence_length, name=OF_TEXTS)


def of_targets(tokens: Sequence[str], text: Text) -> keras.layers.TextVectorization:
    """The layer from strings (batch,) to numbers (batch, longest target), without marks."""
    known = (*MARKS, *tokens)
    return _layer(text, known, length=text.longest_target, name=OF_TARGETS)


def written(numbers: NDArray[np.int64], names: Sequence[str], kind: Tokens) -> str:
    """The text of the numbers (tokens,) of one target, up to its end."""
    tokens = numbers.tolist()
    if END in tokens:
        tokens = tokens[: tokens.index(END)]
    return joined([names[token] for token in tokens if token not in (PADDING, START)], kind)


def joined_strings(names: Any, kind: Tokens) -> Any:
    """Texts (batch,) of the names of tokens (batch, tokens), which are empty behind the end."""
    if kind is Tokens.CHARACTERS:
        return tf.strings.reduce_join(names, axis=1)
    return tf.strings.strip(tf.strings.reduce_join(names, axis=1, separator=" "))


def _layer(
    text: Text, tokens: Sequence[str] = (), *, length: int | None, name: str | None = None
) -> keras.layers.TextVectorization:
    # Two more for the marks, which the vocabulary that was asked for does not count.
    return keras.layers.TextVectorization(
        max_tokens=text.vocabulary_size + (len(MARKS) if MARKS[0] in tokens else 0),
        standardize=None,
        split="character" if text.tokens is Tokens.CHARACTERS else "whitespace",
        output_sequence_length=length,
        vocabulary=list(tokens) or None,
        name=name,
    )
