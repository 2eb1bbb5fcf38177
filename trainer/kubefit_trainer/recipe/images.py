"""Recipes of images; `pipeline`, `network` and `pretrained` do the work."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kubefit.api.recipe import ImageRecipe, OnUnreadable, Recipe, known_as
from kubefit_trainer import keras_multiworker
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.images import augment
from kubefit_trainer.images.decode import Pixels
from kubefit_trainer.recipe import backbones, network, pipeline, pretrained
from kubefit_trainer.recipe.labelled import Inputs, Labelled
from kubefit_trainer.recipe.order import Shard
from kubefit_trainer.recipe.pretrained import Pretrained
from kubefit_trainer.recipe.readable import Group, readable
from kubefit_trainer.recipe.sources import Source, open_source


class Images:
    """A `Modality`."""

    def __init__(self, recipe: Recipe) -> None:
        """Of a recipe with `data`."""
        self._recipe = known_as(ImageRecipe, recipe)

    def open(
        self, name: str, *, volume: Path, group: Group, classes: list[str] | None
    ) -> tuple[Labelled, dict[str, str]]:
        """What of a set can be read."""
        data = self._recipe.data
        height, width = data.image_size
        source = open_source(
            getattr(data, name),
            data,
            volume=volume,
            field=f"spec.recipe.data.{name}",
            classes=classes,
            needed=augment.needed(self._recipe.augmentation, (height, width))
            if classes is None
            else None,
        )
        return readable(source, group) if data.on_unreadable is OnUnreadable.SKIP else (source, {})

    def prepared(self, inputs: Inputs) -> Inputs:
        """The same."""
        return inputs

    def build(self, strategy: tf.distribute.Strategy, *, volume: Path, classes: int) -> keras.Model:
        """The model, with the same initial weights on every worker."""
        recipe = self._recipe
        height, width = recipe.data.image_size
        backbone = recipe.model.backbone
        start = Pretrained()
        if backbone is not None and keras_multiworker.is_chief():
            shape = (height, width, recipe.data.channels)
            with keras_multiworker.outside_strategy():
                start = pretrained.load(backbone, input_shape=shape, volume=volume)
        architecture = start.architecture
        if backbone is not None and backbone.stored:
            architecture = keras_multiworker.text_from_chief(architecture, "the network to train")
        keras.utils.set_random_seed(recipe.training.seed)
        with strategy.scope():
            model = network.build(recipe, classes=classes, architecture=architecture)
        if backbone is not None and backbone.pretrained:
            base = model.get_layer(backbones.LAYER)
            if start.values is not None:
                base.set_weights(start.values)
            digest = keras_multiworker.weights_from_chief(base)
            print(f"backbone={backbone.label} weights_sha256={digest}", flush=True)
        return model

    def training_batches(
        self,
        source: Labelled,
        samples: NDArray[np.int64],
        *,
        shard: Shard,
        weights: NDArray[np.float32] | None,
        start: int,
    ) -> tf.data.Dataset:
        """Augmented pixels."""
        return pipeline.training_batches(
            _images(source), samples, self._recipe, shard=shard, weights=weights, start=start
        )

    def evaluation_batches(
        self, source: Labelled, samples: NDArray[np.int64], *, shard: Shard
    ) -> tf.data.Dataset:
        """Plain pixels."""
        return pipeline.evaluation_batches(_images(source), samples, self._recipe, shard=shard)

    def answering(self, model: keras.Model) -> keras.Model:
        """The same."""
        return model

    def answers(self, exported: keras.Model, source: Labelled) -> None:
        """Nothing: outputs are no texts."""

    def for_export(self, model: keras.Model, source: Labelled) -> keras.Model:
        """The same network, from pixels of 0 to 255."""
        return network.for_export(model, self._recipe)

    def raw(self, source: Labelled, samples: NDArray[np.int64]) -> Pixels:
        """Pixels."""
        return pipeline.pixels(_images(source), samples, self._recipe)

    def shown(self, source: Labelled, sample: int) -> Pixels | None:
        """The image as the network sees it; one that is gone is left out."""
        try:
            pixels: Pixels
            (pixels,) = pipeline.pixels(_images(source), np.array([sample]), self._recipe)
        except ConfigurationError:
            return None
        return pixels


def _images(source: Labelled) -> Source:
    if not isinstance(source, Source):
        raise TypeError(f"{type(source).__name__} is no set of images")
    return source
