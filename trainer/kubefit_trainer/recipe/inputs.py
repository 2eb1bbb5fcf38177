"""The sets of images of a job and what each is for, handed to the strategy worker by worker."""

from dataclasses import dataclass
from dataclasses import field as filled_with
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kubefit.api.recipe import ClassWeights, Images, LabelKind, OnUnreadable, Recipe
from kubefit_trainer import keras_multiworker
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.images import augment
from kubefit_trainer.preflight import counts
from kubefit_trainer.recipe import order, pipeline
from kubefit_trainer.recipe.order import Shard
from kubefit_trainer.recipe.readable import Group, readable
from kubefit_trainer.recipe.sources import Source, open_source


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Samples of a source, by number."""

    source: Source
    samples: NDArray[np.int64]
    weights: NDArray[np.float32] | None = None
    """Weight in the loss of every sample of the source; None where all weigh the same."""

    def steps(self, recipe: Recipe) -> int:
        """Global batches in one pass."""
        return order.steps(len(self.samples), recipe.training.images_per_step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a job trains on and looks at."""

    train: Chosen
    validation: Chosen | None
    evaluation: Chosen | None
    """For the evaluation after training: the test images, or else those of the validation."""
    skipped: dict[str, str] = filled_with(default_factory=dict)
    """Images of all sets that were left out, by name, with the reasons."""

    def sources(self) -> list[Source]:
        """Every source once."""
        chosen = (self.train, self.validation, self.evaluation)
        return list({id(c.source): c.source for c in chosen if c is not None}.values())


def open_inputs(recipe: Recipe, volume: Path, group: Group | None = None) -> Inputs:
    """Indexes the images of a recipe; relative paths are below `volume`.

    The workers of the group, which all must call this, share out a look at what can be read, if the
    recipe asks for it.

    Raises:
        ConfigurationError: images are missing or unusable.

    """
    data, opened = recipe.data, _Opened(recipe, volume, group or Group())
    source = opened.source(
        data.train,
        name="train",
        needed=augment.needed(recipe.augmentation, (data.image_size[0], data.image_size[1])),
    )
    if opened.skipped:
        _check_counts(source, recipe, workers=opened.group.workers)
    parts = _split(source, recipe)
    held = Chosen(source=source, samples=parts.validation) if len(parts.validation) else None
    if data.validation is not None:
        held = opened.named(data.validation, name="validation", classes=source.classes)
    evaluation = Chosen(source=source, samples=parts.test) if len(parts.test) else held
    if data.test is not None:
        evaluation = opened.named(data.test, name="test", classes=source.classes)
    return Inputs(
        train=Chosen(
            source=source,
            samples=parts.training,
            weights=_weights(source, parts.training, data.class_weights),
        ),
        validation=held,
        evaluation=evaluation,
        skipped=opened.skipped,
    )


@dataclass(frozen=True, slots=True)
class _Opened:
    """Opens the sets of a recipe one after the other."""

    recipe: Recipe
    volume: Path
    group: Group
    skipped: dict[str, str] = filled_with(default_factory=dict)

    def source(
        self,
        images: Images,
        *,
        name: str,
        classes: list[str] | None = None,
        needed: tuple[int, int] | None = None,
    ) -> Source:
        """What of a set can be read."""
        field, data = f"spec.recipe.data.{name}", self.recipe.data
        source = open_source(
            images, data, volume=self.volume, field=field, classes=classes, needed=needed
        )
        if data.on_unreadable is OnUnreadable.FAIL:
            return source
        kept, faults = readable(source, self.group)
        self.skipped.update(faults)
        if not len(kept.labels):
            raise ConfigurationError(
                f"{field}: none of the {len(source.labels)} images can be read, the first because:"
                f" {next(iter(faults.values()))}"
            )
        return kept

    def named(self, images: Images, *, name: str, classes: list[str]) -> Chosen:
        """A set of its own: what a manifest gives that split, or else all of it."""
        source = self.source(images, name=name, classes=classes)
        if source.splits is None:
            return Chosen(source=source, samples=np.arange(len(source.labels)))
        counts.check_split(source.splits.tolist(), name)
        return Chosen(source=source, samples=getattr(_split(source, self.recipe), name))


def _check_counts(source: Source, recipe: Recipe, *, workers: int) -> None:
    splits = None if source.splits is None else source.splits.tolist()
    counts.check(recipe, source.strata.tolist(), source.classes, splits, workers=workers)


def _split(source: Source, recipe: Recipe) -> order.Split:
    """The splits that a manifest gives, or else those that are drawn."""
    data = recipe.data
    if source.splits is not None:
        train, validation, test = (np.flatnonzero(source.splits == part) for part in range(3))
        return order.Split(training=train, validation=validation, test=test)
    multi = data.labels is LabelKind.MULTI_LABEL
    draw = order.split_labels if multi else order.split
    return draw(
        source.labels if multi else source.strata,
        validation=data.validation_split,
        test=data.test_split,
        seed=recipe.training.seed,
    )


def _weights(
    source: Source, training: NDArray[np.int64], wanted: ClassWeights
) -> NDArray[np.float32] | None:
    if wanted is ClassWeights.NONE:
        return source.weights
    counts = np.bincount(source.labels[training], minlength=len(source.classes))
    of_class = len(training) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    balanced: NDArray[np.float32] = of_class[source.labels].astype(np.float32)
    return balanced if source.weights is None else balanced * source.weights


def training_dataset(
    chosen: Chosen, recipe: Recipe, strategy: tf.distribute.Strategy
) -> tf.distribute.DistributedDataset:
    """Endless augmented batches of every worker, in the order of (seed, pass)."""
    return strategy.distribute_datasets_from_function(
        lambda context: pipeline.training_batches(
            chosen.source,
            chosen.samples,
            recipe,
            shard=_shard(context),
            weights=chosen.weights,
            start=keras_multiworker.first_step(),
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
