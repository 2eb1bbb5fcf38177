"""One training from data to export, alike on every worker; only the chief writes.

Knows the sequence and nothing else: data, model, fit, evaluation, export.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kubefit.api.contract import JobFiles, RunConfig
from kubefit.api.recipe import Recipe
from kubefit_trainer.export import saved
from kubefit_trainer.recipe import backbones, network, order, pipeline
from kubefit_trainer.recipe.epoch_log import EpochLog
from kubefit_trainer.recipe.order import Shard, Split
from kubefit_trainer.recipe.sources import Source, open_source

_EXPORT_SAMPLES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """Images that are only looked at: those of validation or test."""

    source: Source
    samples: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inputs:
    train: Source
    split: Split
    validation: _Held | None
    evaluation: _Held | None


def run(config: RunConfig, rank: int, strategy: tf.distribute.Strategy) -> None:
    """Trains, evaluates and exports what `config.recipe` describes.

    To be called outside the scope of `strategy`, on every worker.

    Raises:
        ConfigurationError: the data or the weights cannot be used.

    """
    recipe = config.recipe
    if recipe is None:
        raise ValueError("the run configuration has no recipe")
    volume = Path(config.volume_dir)
    files = JobFiles(PurePosixPath(config.job_dir))
    inputs = _open(recipe, volume)
    model = _build(recipe, strategy, volume=volume, classes=len(inputs.train.classes))
    _fit(model, recipe, inputs, strategy=strategy, files=files, chief=rank == 0)
    _evaluate(model, recipe, inputs.evaluation, strategy=strategy)
    if rank == 0:
        _export(model, inputs, Path(files.export))


def _open(recipe: Recipe, volume: Path) -> _Inputs:
    data = recipe.data
    train = open_source(data.train, data, volume=volume, field="spec.recipe.data.train")
    parts = order.split(len(train.labels), data.validation_split, seed=recipe.training.seed)
    validation = _Held(source=train, samples=parts.validation) if len(parts.validation) else None
    if data.test is None:
        evaluation = validation
    else:
        test = open_source(
            data.test, data, volume=volume, field="spec.recipe.data.test", classes=train.classes
        )
        evaluation = _Held(source=test, samples=np.arange(len(test.labels)))
    return _Inputs(train=train, split=parts, validation=validation, evaluation=evaluation)


def _build(
    recipe: Recipe, strategy: tf.distribute.Strategy, *, volume: Path, classes: int
) -> keras.Model:
    height, width = recipe.data.image_size
    weights = None
    if recipe.model.backbone is not None:
        weights = backbones.load_weights(
            recipe.model.backbone,
            input_shape=(height, width, recipe.data.channels),
            volume=volume,
        )
    keras.utils.set_random_seed(recipe.training.seed)
    with strategy.scope():
        return network.build(recipe, classes=classes, weights=weights)


def _distribute(
    strategy: tf.distribute.Strategy, batches: Callable[[Shard], tf.data.Dataset]
) -> tf.data.Dataset:
    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        pipelines = context.num_input_pipelines
        return batches(
            Shard(
                rank=context.input_pipeline_id,
                workers=pipelines,
                replicas=context.num_replicas_in_sync // pipelines,
            )
        )

    return strategy.distribute_datasets_from_function(of_worker)


def _fit(
    model: keras.Model,
    recipe: Recipe,
    inputs: _Inputs,
    *,
    strategy: tf.distribute.Strategy,
    files: JobFiles,
    chief: bool,
) -> None:
    training, samples = recipe.training, inputs.split.training
    a_pass = order.steps(len(samples), training.global_batch_size)
    steps = training.steps_per_epoch or a_pass
    validation = inputs.validation
    callbacks: list[keras.callbacks.Callback] = []
    if chief:
        examples = len(samples) if steps == a_pass else steps * training.global_batch_size
        callbacks += [
            keras.callbacks.TensorBoard(log_dir=str(files.tensorboard), write_graph=False),
            EpochLog(epochs=training.epochs, examples_per_epoch=examples),
        ]
    model.fit(
        _distribute(
            strategy,
            lambda shard: pipeline.training_batches(inputs.train, samples, recipe, shard=shard),
        ),
        epochs=training.epochs,
        steps_per_epoch=steps,
        validation_data=validation and _held_batches(validation, recipe, strategy),
        validation_steps=validation
        and order.steps(len(validation.samples), training.global_batch_size),
        callbacks=callbacks,
        shuffle=False,
        verbose=0,
    )


def _held_batches(held: _Held, recipe: Recipe, strategy: tf.distribute.Strategy) -> tf.data.Dataset:
    return _distribute(
        strategy,
        lambda shard: pipeline.evaluation_batches(held.source, held.samples, recipe, shard=shard),
    )


def _evaluate(
    model: keras.Model, recipe: Recipe, held: _Held | None, *, strategy: tf.distribute.Strategy
) -> dict[str, float]:
    if held is None:
        return {}
    metrics = model.evaluate(
        _held_batches(held, recipe, strategy),
        steps=order.steps(len(held.samples), recipe.training.global_batch_size),
        return_dict=True,
        verbose=0,
    )
    return {name: float(value) for name, value in metrics.items()}


def _export(model: keras.Model, inputs: _Inputs, folder: Path) -> None:
    pixels = tf.function(inputs.train.load)(tf.constant(inputs.split.training[:_EXPORT_SAMPLES]))
    samples = pixels.numpy().astype(np.float32)
    saved.save(model, folder, classes=inputs.train.classes, samples=samples)
