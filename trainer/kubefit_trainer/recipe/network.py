"""The Keras model of a recipe: raw pixels of 0 to 255 in, class probabilities out."""

import keras

from kubefit.api.recipe import Block, Loss, Optimizer, Output, Recipe
from kubefit_trainer.recipe import backbones, targets

_OPTIMIZERS = {
    Optimizer.ADAM: keras.optimizers.Adam,
    Optimizer.ADAMW: keras.optimizers.AdamW,
    Optimizer.SGD: keras.optimizers.SGD,
    Optimizer.RMSPROP: keras.optimizers.RMSprop,
}


def build(recipe: Recipe, *, classes: int, weights: backbones.Weights | None) -> keras.Model:
    """Compiled model; float32 (batch, height, width, channels) to (batch, classes).

    A sigmoid output has one column, the probability of the second class. To be called in the scope
    of the strategy, alike on every worker.
    """
    data, spec = recipe.data, recipe.model
    inputs = keras.Input((*data.image_size, data.channels), name="image")
    if spec.backbone is not None:
        features = backbones.features(spec.backbone, inputs, weights=weights)
        features = keras.layers.Dropout(spec.backbone.dropout)(features)
    else:
        features = keras.layers.Rescaling(1 / 255)(inputs)
        for block in spec.blocks or []:
            features = _layer(block)(features)
    binary = spec.output is Output.SIGMOID
    outputs = keras.layers.Dense(
        1 if binary else classes,
        activation="sigmoid" if binary else "softmax",
        name="probabilities",
    )(features)
    model = keras.Model(inputs, outputs)
    _compile(model, recipe, binary=binary)
    return model


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


def _compile(model: keras.Model, recipe: Recipe, *, binary: bool) -> None:
    training = recipe.training
    if binary or training.loss is Loss.BINARY_CROSSENTROPY:
        loss, accuracy = keras.losses.BinaryCrossentropy(), keras.metrics.BinaryAccuracy
    elif targets.are_shares(recipe.augmentation):
        loss, accuracy = keras.losses.CategoricalCrossentropy(), keras.metrics.CategoricalAccuracy
    else:
        loss = keras.losses.SparseCategoricalCrossentropy()
        accuracy = keras.metrics.SparseCategoricalAccuracy
    model.compile(
        optimizer=_OPTIMIZERS[training.optimizer](learning_rate=training.learning_rate),
        loss=loss,
        metrics=[accuracy(name="accuracy")],
        jit_compile=False,
    )
