"""The Keras model of a recipe: raw pixels of 0 to 255 in, class probabilities or numbers out."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from kubefit.api.recipe import (
    Block,
    ImageRecipe,
    LabelKind,
    Loss,
    Optimizer,
    Output,
    Phase,
    Precision,
    Recipe,
)
from kubefit_trainer.recipe import backbones, optimizers, precision, targets, unfreezing
from kubefit_trainer.recipe.schedules import Rate
from kubefit_trainer.recipe.speech.ctc import Ctc
from kubefit_trainer.recipe.speech.error_rate import CharacterErrorRate


def build(recipe: ImageRecipe, *, classes: int, architecture: str = "") -> keras.Model:
    """The model, not compiled; float32 (batch, height, width, channels) to (batch, units).

    It has initial weights; `architecture` is the JSON of a saved backbone. A sigmoid output has one
    column, the probability of the second class. To be called in the scope of the strategy, alike on
    every worker.
    """
    data, spec = recipe.data, recipe.model
    with computing_in(recipe.training.precision or Precision.FLOAT32):
        inputs = keras.Input((*data.image_size, data.channels), name="image")
        if spec.backbone is not None:
            features = backbones.features(spec.backbone, inputs, architecture=architecture)
            features = keras.layers.Dropout(spec.backbone.dropout or 0.0, name="features")(features)
        else:
            features = keras.layers.Rescaling(1 / 255)(inputs)
            for block in spec.blocks or []:
                features = _layer(block)(features)
        outputs = keras.layers.Dense(
            targets.units(recipe, classes=classes),
            activation=_activation(recipe),
            dtype="float32",
            name="numbers" if recipe.samples.labels is LabelKind.REGRESSION else "probabilities",
        )(features)
        return keras.Model(inputs, outputs)


def _activation(recipe: Recipe) -> str:
    if recipe.samples.labels is LabelKind.REGRESSION:
        return "linear"
    several = recipe.samples.labels is LabelKind.MULTI_LABEL
    return "sigmoid" if several or recipe.output is Output.SIGMOID else "softmax"


@contextmanager
def computing_in(wanted: Precision) -> Iterator[None]:
    """Layers that are made meanwhile compute in that precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision.policy(wanted))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def prepare(model: keras.Model, recipe: Recipe, phase: Phase, *, steps_per_epoch: int) -> Rate:
    """Freezes and compiles the model for a phase; returns the learning rate of its steps.

    To be called in the scope of the strategy, alike on every worker.
    """
    training, backbone = recipe.training, recipe.backbone
    rates: list[tuple[keras.Variable, float]] = []
    if backbone is not None:
        base = model.get_layer(backbones.LAYER)
        keep = backbone.pretrained
        unfreezing.unfreeze(base, phase.unfreeze or "all", keep_statistics=keep)
        rates = unfreezing.rates(base, phase.layer_decay or 1.0)
    for variable in model.trainable_variables:
        if training.l2 and len(variable.shape) > 1:
            variable.regularizer = keras.regularizers.L2(training.l2)
    rate = Rate(phase, steps_per_epoch=steps_per_epoch)
    _compile(
        model,
        recipe,
        optimizers.make(training, rate, model=model, rates=rates, steps_per_epoch=steps_per_epoch),
    )
    return rate


def for_export(model: keras.Model, recipe: Recipe) -> keras.Model:
    """The same model for people to load: compiled with what every Keras has, no optimizer state."""
    twin = uncompiled(model)
    optimizer = optimizers.PLAIN[recipe.training.optimizer or Optimizer.ADAM]()
    _compile(twin, recipe, optimizer, plain=True)
    return twin


def uncompiled(model: keras.Model) -> keras.Model:
    """The same layers without optimizer and loss, which a file would keep of a model in a model."""
    return keras.Model(model.input, model.output)


def _layer(block: Block) -> keras.layers.Layer:
    layers = keras.layers
    activation = block.activation.value
    if block.conv:
        return layers.Conv2D(block.conv, block.kernel, activation=activation)
    if block.pool:
        return layers.MaxPooling2D(block.pool)
    if block.dense:
        return layers.Dense(block.dense, activation=activation)
    if block.dropout is not None:
        return layers.Dropout(block.dropout)
    if block.global_pool:
        return layers.GlobalAveragePooling2D()
    if block.batch_norm:
        return layers.BatchNormalization()
    if block.flatten:
        return layers.Flatten()
    return layers.Identity()


class _LikelierOfTwo(keras.metrics.BinaryAccuracy):  # type: ignore[misc]
    """Binary accuracy of targets that are shares: the class with more than half is the right one.

    As `CategoricalAccuracy` has it for more classes; Keras' own takes shares for wrong.
    """

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Counts one batch of shares and probabilities (batch, 1)."""
        super().update_state(keras.ops.greater(y_true, 0.5), y_pred, sample_weight)


def _compile(
    model: keras.Model,
    recipe: Recipe,
    optimizer: keras.optimizers.Optimizer,
    *,
    plain: bool = False,
) -> None:
    if recipe.writes:
        # Of each token of the global batch that is none of padding, which weighs nothing.
        loss = keras.losses.SparseCategoricalCrossentropy(reduction="mean_with_sample_weight")
        weighted = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
        model.compile(optimizer=optimizer, loss=loss, weighted_metrics=weighted, jit_compile=False)
        return
    loss, metrics = _judged(recipe, plain=plain)
    model.compile(optimizer=optimizer, loss=loss, metrics=metrics, jit_compile=False)


def _judged(recipe: Recipe, *, plain: bool) -> tuple[keras.losses.Loss, list[keras.metrics.Metric]]:
    """Loss and metrics for what the samples have for labels, if `plain` such as every Keras has."""
    losses, metrics, labels = keras.losses, keras.metrics, recipe.samples.labels
    binary_accuracy = metrics.BinaryAccuracy if plain else _LikelierOfTwo
    if labels is LabelKind.TEXT:
        return (losses.CTC(), []) if plain else (Ctc(), [CharacterErrorRate()])
    if labels is LabelKind.REGRESSION:
        wanted = recipe.training.loss
        found = Loss.MEAN_SQUARED_ERROR if wanted is Loss.AUTO else wanted
        return losses.get(found.value), [metrics.MeanAbsoluteError(name="mean_absolute_error")]
    if labels is LabelKind.MULTI_LABEL:
        area = metrics.AUC(name="auc", multi_label=True)
        return losses.BinaryCrossentropy(), [binary_accuracy(name="accuracy"), area]
    if recipe.output is Output.SIGMOID:
        return losses.BinaryCrossentropy(), [binary_accuracy(name="accuracy")]
    if targets.are_rows(recipe):
        return losses.CategoricalCrossentropy(), [metrics.CategoricalAccuracy(name="accuracy")]
    accuracy = metrics.SparseCategoricalAccuracy(name="accuracy")
    return losses.SparseCategoricalCrossentropy(), [accuracy]
