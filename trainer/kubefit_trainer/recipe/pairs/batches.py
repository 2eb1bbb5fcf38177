"""Batches of token numbers: texts and targets begun, what follows, and what of it counts."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kubefit.api.recipe import TextRecipe
from kubefit_trainer import keras_multiworker
from kubefit_trainer.recipe.pairs import vocabulary
from kubefit_trainer.recipe.pairs.source import Pairs
from kubefit_trainer.recipe.streams import Stream

Example = tuple[tuple[NDArray[np.int32], NDArray[np.int32]], NDArray[np.int32], NDArray[np.float32]]


class Look:
    """Looks up texts and targets, on the CPU."""

    def __init__(self, source: Pairs, recipe: TextRecipe) -> None:
        """With the vocabularies of the source."""
        text = recipe.text
        self._source, self._length = source, text.longest_target
        with keras_multiworker.outside_strategy(), tf.device("CPU"):
            self._texts = vocabulary.of_texts(source.tokens, text)
            self._targets = vocabulary.of_targets(source.target_tokens, text)

    def __call__(self, samples: NDArray[np.int64], epoch: int | None = None) -> Any:
        """The `Example` of n samples: ((n, tokens), (n, 1 + target tokens)), targets, weights.

        The target of each place is the next token, at last the end; padding weighs nothing.
        """
        numbers = samples.tolist()
        texts = _looked_up(self._texts, [self._source.texts[sample] for sample in numbers])
        targets = _looked_up(self._targets, [self._source.targets[sample] for sample in numbers])
        return (texts, begun(targets)), *_following(targets)


def begun(targets: NDArray[np.int32]) -> NDArray[np.int32]:
    """Targets (n, tokens) behind their start."""
    return np.pad(targets, ((0, 0), (1, 0)), constant_values=vocabulary.START)


def _following(targets: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    follows = np.pad(targets, ((0, 0), (0, 1)), constant_values=vocabulary.PADDING)
    ends = (targets != vocabulary.PADDING).sum(axis=1)
    follows[np.arange(len(targets)), ends] = vocabulary.END
    return follows, (follows != vocabulary.PADDING).astype(np.float32)


def _looked_up(layer: Any, texts: list[str]) -> NDArray[np.int32]:
    with tf.device("CPU"):
        return np.asarray(layer(tf.constant(texts, tf.string)), np.int32)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairStream(Stream):
    """How pairs become batches ((texts, targets begun), what follows, weights).

    `make` gives all of that; `shape` is that of a text.
    """

    target_length: int
    """Tokens of a target with its start, or its end."""

    def _batch(
        self, ids: NDArray[np.int64], epoch: int | None, weights: NDArray[np.float32] | None
    ) -> tuple[Any, ...]:
        return tuple(self.make(ids, epoch))

    def _signature(self, *, weighted: bool) -> tuple[Any, ...]:
        target = (None, self.target_length)
        return (
            (tf.TensorSpec((None, *self.shape), self.dtype), tf.TensorSpec(target, self.dtype)),
            tf.TensorSpec(target, self.dtype),
            tf.TensorSpec(target, tf.float32),
        )
