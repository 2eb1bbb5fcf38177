"""Recipes of texts."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kubefit.api.recipe import Recipe, TextRecipe, known_as
from kubefit_trainer import keras_multiworker
from kubefit_trainer.recipe import network as networks
from kubefit_trainer.recipe.labelled import Inputs, Labelled
from kubefit_trainer.recipe.order import Shard
from kubefit_trainer.recipe.readable import Group
from kubefit_trainer.recipe.streams import Make, Stream, Streamed
from kubefit_trainer.recipe.text import network, vocabulary
from kubefit_trainer.recipe.text.corpus import Corpus, open_corpus


class Text(Streamed):
    """A `Modality`."""

    _recipe: TextRecipe

    def __init__(self, recipe: Recipe) -> None:
        """Of a recipe with `text`."""
        self._recipe = known_as(TextRecipe, recipe)

    def open(
        self, name: str, *, volume: Path, group: Group, classes: list[str] | None
    ) -> tuple[Labelled, dict[str, str]]:
        """Reads the whole set, on every worker."""
        text = self._recipe.text
        field = f"spec.recipe.text.{name}"
        return open_corpus(getattr(text, name), text, volume=volume, field=field, classes=classes)

    def prepared(self, inputs: Inputs) -> Inputs:
        """Gives all sets the vocabulary of the training texts."""
        train = inputs.train
        words = vocabulary.learn(_corpus(train.source), train.samples, self._recipe.text)
        print(f"vocabulary={len(words)} words", flush=True)
        return inputs.with_sources(lambda source: replace(_corpus(source), words=words))

    def for_export(self, model: keras.Model, source: Labelled) -> keras.Model:
        """The network behind the layer that looks words up: from strings (batch,)."""
        texts = keras.Input((), dtype="string", name="text")
        numbers = vocabulary.lookup(_corpus(source).words, self._recipe.text)(texts)
        return networks.for_export(
            keras.Model(texts, networks.uncompiled(model)(numbers)), self._recipe
        )

    def raw(self, source: Labelled, samples: NDArray[np.int64]) -> NDArray[np.str_]:
        """Strings."""
        return np.array([_corpus(source).text(sample) for sample in samples.tolist()], np.str_)

    def shown(self, source: Labelled, sample: int) -> None:
        """Nothing."""

    def _network(self, classes: int) -> keras.Model:
        return network.build(self._recipe, classes=classes)

    def _stream(self, source: Labelled, samples: NDArray[np.int64], shard: Shard) -> Stream:
        return Stream(
            source=source,
            samples=samples,
            recipe=self._recipe,
            shard=shard,
            make=self._make(_corpus(source)),
            shape=(self._recipe.text.sequence_length,),
            dtype=tf.int32,
        )

    def _make(self, corpus: Corpus) -> Make:
        look_up = _looked_up(corpus, self._recipe)

        def make(samples: NDArray[np.int64], epoch: int | None) -> NDArray[Any]:
            return look_up([corpus.text(sample) for sample in samples.tolist()])

        return make


def _looked_up(corpus: Corpus, recipe: TextRecipe) -> Callable[[list[str]], NDArray[np.int32]]:
    with keras_multiworker.outside_strategy(), tf.device("CPU"):
        layer = vocabulary.lookup(corpus.words, recipe.text)

    def look_up(texts: list[str]) -> NDArray[np.int32]:
        with tf.device("CPU"):
            return np.asarray(layer(tf.constant(texts)), np.int32)

    return look_up


def _corpus(source: Labelled) -> Corpus:
    if not isinstance(source, Corpus):
        raise TypeError(f"{type(source).__name__} is no set of texts")
    return source
