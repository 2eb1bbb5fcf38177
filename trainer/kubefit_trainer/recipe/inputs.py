"""The sets of samples of a job and what each is for, handed to the strategy worker by worker."""

from dataclasses import dataclass
from dataclasses import field as filled_with
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kubefit.api.recipe import ClassWeights, LabelKind, Recipe
from kubefit_trainer import keras_multiworker
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import counts, indexing
from kubefit_trainer.recipe import modality, order
from kubefit_trainer.recipe.labelled import Chosen, Inputs, Labelled
from kubefit_trainer.recipe.order import Shard
from kubefit_trainer.recipe.readable import Group


def open_inputs(recipe: Recipe, volume: Path, group: Group | None = None) -> Inputs:
    """Indexes the samples of a recipe; relative paths are below `volume`.

    The workers of the group, which all must call this, share out a look at what can be read, if the
    recipe asks for it.

    Raises:
        ConfigurationError: samples are missing or unusable.

    """
    given, opened = recipe.samples, _Opened(recipe, volume, group or Group())
    source = opened.source("train")
    if opened.skipped:
        _check_counts(source, recipe, workers=opened.group.workers)
    parts = _split(source, recipe)
    held = Chosen(source=source, samples=parts.validation) if len(parts.validation) else None
    if given.validation is not None:
        held = opened.named("validation", classes=source.classes)
    evaluation = Chosen(source=source, samples=parts.test) if len(parts.test) else held
    if given.test is not None:
        evaluation = opened.named("test", classes=source.classes)
    inputs = Inputs(
        train=Chosen(
            source=source,
            samples=parts.training,
            weights=_weights(source, parts.training, given.class_weights),
        ),
        validation=held,
        evaluation=evaluation,
        skipped=opened.skipped,
    )
    return modality.of(recipe).prepared(inputs)


@dataclass(frozen=True, slots=True)
class _Opened:
    """Opens the sets of a recipe one after the other."""

    recipe: Recipe
    volume: Path
    group: Group
    skipped: dict[str, str] = filled_with(default_factory=dict)

    def source(self, name: str, *, classes: list[str] | None = None) -> Labelled:
        """What of a set can be read."""
        recipe = self.recipe
        kept, faults = modality.of(recipe).open(
            name, volume=self.volume, group=self.group, classes=classes
        )
        self.skipped.update(faults)
        if faults and not len(kept.labels):
            raise ConfigurationError(
                f"spec.recipe.{recipe.subject}.{name}: none of the {len(faults)} {recipe.kind} can"
                f" be read, the first because: {next(iter(faults.values()))}"
            )
        return kept

    def named(self, name: str, *, classes: list[str]) -> Chosen:
        """A set of its own: what a manifest gives that split, or else all of it."""
        source = self.source(name, classes=classes)
        if source.splits is None:
            return Chosen(source=source, samples=np.arange(len(source.labels)))
        parent = f"spec.recipe.{self.recipe.subject}.{name}"
        field = indexing.field_of(getattr(self.recipe.samples, name), parent)
        counts.check_split(source.splits.tolist(), name, field=field)
        return Chosen(source=source, samples=getattr(_split(source, self.recipe), name))


def _check_counts(source: Labelled, recipe: Recipe, *, workers: int) -> None:
    splits = None if source.splits is None else source.splits.tolist()
    counts.check(recipe, source.strata.tolist(), source.classes, splits, workers=workers)


def _split(source: Labelled, recipe: Recipe) -> order.Split:
    """The splits that a manifest gives, or else those that are drawn."""
    given = recipe.samples
    if source.splits is not None:
        train, validation, test = (np.flatnonzero(source.splits == part) for part in range(3))
        return order.Split(training=train, validation=validation, test=test)
    multi = given.labels is LabelKind.MULTI_LABEL
    draw = order.split_labels if multi else order.split
    return draw(
        source.labels if multi else source.strata,
        validation=given.validation_split,
        test=given.test_split,
        seed=recipe.training.seed,
    )


def _weights(
    source: Labelled, training: NDArray[np.int64], wanted: ClassWeights
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
    """Endless batches of every worker, in the order of (seed, pass)."""
    return strategy.distribute_datasets_from_function(
        lambda context: modality.of(recipe).training_batches(
            chosen.source,
            chosen.samples,
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
        lambda context: modality.of(recipe).evaluation_batches(
            chosen.source, chosen.samples, shard=_shard(context)
        )
    )


def _shard(context: tf.distribute.InputContext) -> Shard:
    pipelines = context.num_input_pipelines
    return Shard(
        rank=context.input_pipeline_id,
        workers=pipelines,
        replicas=context.num_replicas_in_sync // pipelines,
    )
