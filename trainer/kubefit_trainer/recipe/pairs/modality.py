"""Recipes of texts with targets."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from kubefit.api.recipe import Decoding, Recipe, TextRecipe, known_as
from kubefit_trainer.export.serving import Answers
from kubefit_trainer.recipe.labelled import Inputs, Labelled
from kubefit_trainer.recipe.order import Shard
from kubefit_trainer.recipe.pairs import network, vocabulary
from kubefit_trainer.recipe.pairs.batches import Look, PairStream
from kubefit_trainer.recipe.pairs.decoding import Writer
from kubefit_trainer.recipe.pairs.source import Pairs, open_pairs
from kubefit_trainer.recipe.readable import Group
from kubefit_trainer.recipe.streams import Stream, Streamed


class Translation(Streamed):
    """A `Modality`."""

    _recipe: TextRecipe

    def __init__(self, recipe: Recipe) -> None:
        """Of a recipe with `text` that has targets."""
        self._recipe = known_as(TextRecipe, recipe)

    def open(
        self, name: str, *, volume: Path, group: Group, classes: list[str] | None
    ) -> tuple[Labelled, dict[str, str]]:
        """Reads the whole set, on every worker."""
        text = self._recipe.text
        return open_pairs(
            getattr(text, name), text, volume=volume, field=f"spec.recipe.text.{name}"
        )

    def prepared(self, inputs: Inputs) -> Inputs:
        """Gives all sets the tokens of the training pairs."""
        text, train = self._recipe.text, inputs.train
        source = _pairs(train.source)
        tokens = vocabulary.learn(source.texts, train.samples, text, column="textColumn")
        target_tokens = vocabulary.learn(source.targets, train.samples, text, column="targetColumn")
        print(f"vocabulary={len(tokens)} target_vocabulary={len(target_tokens)}", flush=True)
        return inputs.with_sources(
            lambda source: replace(
                _pairs(source),
                tokens=tokens,
                target_tokens=target_tokens,
                classes=vocabulary.outputs(target_tokens),
            )
        )

    def for_export(self, model: keras.Model, source: Labelled) -> keras.Model:
        """From strings `text` and `begun`, both (batch,), to probabilities of what follows.

        `begun` is what is written already, perhaps nothing; the probabilities are (batch, 1 +
        target tokens, outputs): at each place of what follows upon so many of its tokens.
        """
        spec, pairs = self._recipe.text, _pairs(source)
        text = keras.Input((), dtype="string", name="text")
        begun = keras.Input((), dtype="string", name="begun")
        numbers = vocabulary.of_targets(pairs.target_tokens, spec)(begun)
        started = ops.pad(
            ops.cast(numbers, "int32"), ((0, 0), (1, 0)), constant_values=vocabulary.START
        )
        looked_up = ops.cast(vocabulary.of_texts(pairs.tokens, spec)(text), "int32")
        encoder, decoder = (model.get_layer(name) for name in (network.ENCODER, network.DECODER))
        return keras.Model([text, begun], decoder([looked_up, encoder(looked_up), started]))

    def answers(self, exported: keras.Model, source: Labelled) -> Answers:
        """What writes targets for texts, strings (batch,) both."""
        spec, pairs = self._recipe.text, _pairs(source)
        look_up, writer = exported.get_layer(vocabulary.OF_TEXTS), self.answering(exported)
        names = ["" if name in vocabulary.MARKS else name for name in pairs.classes]

        def written(texts: Any) -> Any:
            tokens = writer([tf.cast(look_up(texts), tf.int32)])
            return vocabulary.joined_strings(tf.gather(tf.constant(names), tokens), spec.tokens)

        return written

    def raw(self, source: Labelled, samples: NDArray[np.int64]) -> NDArray[np.str_]:
        """Texts and their targets, (n, 2)."""
        pairs = _pairs(source)
        return np.array(
            [[pairs.texts[sample], pairs.targets[sample]] for sample in samples.tolist()], np.str_
        )

    def shown(self, source: Labelled, sample: int) -> None:
        """Nothing."""

    def answering(self, model: keras.Model) -> keras.Model:
        """The model that writes targets."""
        return Writer(model, self._recipe.text.decoding or Decoding())

    def _network(self, classes: int) -> keras.Model:
        return network.build(self._recipe, outputs=classes)

    def _stream(self, source: Labelled, samples: NDArray[np.int64], shard: Shard) -> Stream:
        text = self._recipe.text
        return PairStream(
            source=source,
            samples=samples,
            recipe=self._recipe,
            shard=shard,
            make=Look(_pairs(source), self._recipe),
            shape=(text.sequence_length,),
            dtype=tf.int32,
            target_length=1 + text.longest_target,
        )


def _pairs(source: Labelled) -> Pairs:
    if not isinstance(source, Pairs):
        raise TypeError(f"{type(source).__name__} is no set of texts with targets")
    return source
