"""One training from data to export, alike on every worker; only the chief writes.

Knows the sequence and nothing else: data, model, fit, evaluation, export.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import keras
import numpy as np
import tensorflow as tf

from kubefit.api.contract import JobFiles, RunConfig
from kubefit.api.recipe import Recipe
from kubefit_trainer.export import saved
from kubefit_trainer.recipe import backbones, network, pipeline
from kubefit_trainer.recipe.epoch_log import EpochLog
from kubefit_trainer.recipe.inputs import (
    Chosen,
    Inputs,
    evaluation_dataset,
    open_inputs,
    training_dataset,
)

_EXPORT_SAMPLES = 8


def run(config: RunConfig, rank: int, strategy: tf.distribute.Strategy) -> None:
    """Trains, evaluates and exports what `config.recipe` describes.

    To be called on every worker, outside the scope of `strategy`: the chief reloads the exported
    model alone, and a variable made in the scope would wait for all the others.

    Raises:
        ConfigurationError: the data or the weights cannot be used.

    """
    recipe = config.recipe
    if recipe is None:
        raise ValueError("the run configuration has no recipe")
    if tf.distribute.has_strategy():
        raise RuntimeError("a recipe is to be run outside the scope of the strategy")
    volume = Path(config.volume_dir)
    files = JobFiles(PurePosixPath(config.job_dir))
    inputs = open_inputs(recipe, volume)
    model = build(recipe, strategy, volume=volume, classes=len(inputs.train.source.classes))
    callbacks = _chief_callbacks(recipe, inputs, files) if rank == 0 else []
    with _unreadable_explained(inputs):
        fit(model, recipe, inputs, strategy=strategy, callbacks=callbacks)
        if inputs.evaluation is not None:
            evaluate(model, recipe, inputs.evaluation, strategy=strategy)
    if rank == 0:
        _export(model, recipe, inputs.train, Path(files.export))


def build(
    recipe: Recipe, strategy: tf.distribute.Strategy, *, volume: Path, classes: int
) -> keras.Model:
    """The compiled model, with the same initial weights on every worker."""
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


def fit(
    model: keras.Model,
    recipe: Recipe,
    inputs: Inputs,
    *,
    strategy: tf.distribute.Strategy,
    callbacks: list[keras.callbacks.Callback],
) -> None:
    """Trains for all epochs; validates after each where there is something to validate on."""
    held = inputs.validation
    model.fit(
        training_dataset(inputs.train, recipe, strategy),
        epochs=recipe.training.epochs,
        steps_per_epoch=recipe.training.steps_per_epoch or inputs.train.steps(recipe),
        validation_data=held and evaluation_dataset(held, recipe, strategy),
        validation_steps=held and held.steps(recipe),
        callbacks=callbacks,
        shuffle=False,
        verbose=0,
    )


def evaluate(
    model: keras.Model, recipe: Recipe, chosen: Chosen, *, strategy: tf.distribute.Strategy
) -> dict[str, float]:
    """Loss and accuracy over each of the chosen samples, once."""
    metrics = model.evaluate(
        evaluation_dataset(chosen, recipe, strategy),
        steps=chosen.steps(recipe),
        return_dict=True,
        verbose=0,
    )
    return {name: float(value) for name, value in metrics.items()}


def _chief_callbacks(
    recipe: Recipe, inputs: Inputs, files: JobFiles
) -> list[keras.callbacks.Callback]:
    training, samples = recipe.training, len(inputs.train.samples)
    steps = training.steps_per_epoch
    return [
        keras.callbacks.TensorBoard(log_dir=str(files.tensorboard), write_graph=False),
        EpochLog(
            epochs=training.epochs,
            examples_per_epoch=steps * training.global_batch_size if steps else samples,
        ),
    ]


@contextmanager
def _unreadable_explained(inputs: Inputs) -> Iterator[None]:
    """Says what was wrong with an image, instead of TensorFlow's account of it."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        for source in inputs.sources():
            for failure in source.failures:
                raise failure from error
        raise


def _export(model: keras.Model, recipe: Recipe, train: Chosen, folder: Path) -> None:
    samples = pipeline.pixels(train.source, train.samples[:_EXPORT_SAMPLES], recipe)
    saved.save(model, folder, classes=train.source.classes, samples=samples.astype(np.float32))
