"""The sets of images of a job and what each is for, handed to the strategy worker by worker."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kubefit.api.recipe import Data, Images, Recipe
from kubefit_trainer.recipe import order, pipeline
from kubefit_trainer.recipe.order import Shard
from kubefit_trainer.recipe.sources import Source, open_source


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Samples of a source, by number."""

    source: Source
    samples: NDArray[np.int64]

    def steps(self, recipe: Recipe) -> int:
        """Global batches in one pass."""
        return order.steps(len(self.samples), recipe.training.global_batch_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a job trains on and looks at."""

    train: Chosen
    validation: Chosen | None
    evaluation: Chosen | None
    """For the evaluation after training: the test images, or else those of the validation."""

    def sources(self) -> list[Source]:
        """Every source once."""
        chosen = (self.train, self.validation, self.evaluation)
        return list({id(c.source): c.source for c in chosen if c is not None}.values())


def open_inputs(recipe: Recipe, volume: Path) -> Inputs:
    """Indexes the images of a recipe; relative paths are below `volume`.

    Raises:
        ConfigurationError: images are missing or unusable.

    """
    data = recipe.data
    source = open_source(data.train, data, volume=volume, field="spec.recipe.data.train")
    parts = order.split(len(source.labels), data.validation_split, seed=recipe.training.seed)
    held = Chosen(source=source, samples=parts.validation) if len(parts.validation) else None
    if data.validation is not None:
        held = _whole(data.validation, data, volume, name="validation", classes=source.classes)
    evaluation = held
    if data.test is not None:
        evaluation = _whole(data.test, data, volume, name="test", classes=source.classes)
    return Inputs(
        train=Chosen(source=source, samples=parts.training),
        validation=held,
        evaluation=evaluation,
    )


def _whole(images: Images, data: Data, volume: Path, *, name: str, classes: list[str]) -> Chosen:
    source = open_source(
        images, data, volume=volume, field=f"spec.recipe.data.{name}", classes=classes
    )
    return Chosen(source=source, samples=np.arange(len(source.labels)))


def training_dataset(
    chosen: Chosen, recipe: Recipe, strategy: tf.distribute.Strategy
) -> tf.distribute.DistributedDataset:
    """Endless augmented batches of every worker, in the order of (seed, pass)."""
    return strategy.distribute_datasets_from_function(
        lambda context: pipeline.training_batches(
            chosen.source, chosen.samples, recipe, shard=_shard(context)
        )
    )


def evaluation_dataset(
    chosen: Chosen, recipe: Recipe, strategy: tf.distribute.Strategy
) -> tf.distribute.DistributedDataset:
    """Batches of every worker in fixed order, pass after pass."""
    return strategy.distribute_datasets_from_function(
        lambda context: pipeline.evaluation_batches(
            chosen.source, chosen.samples, recipe, shard=_shard(context)
        )
    )


def _shard(context: tf.distribute.InputContext) -> Shard:
    pipelines = context.num_input_pipelines
    return Shard(
        rank=context.input_pipeline_id,
        workers=pipelines,
        replicas=context.num_replicas_in_sync // pipelines,
    )
