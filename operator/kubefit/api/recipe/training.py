"""`spec.recipe.training`: how the network is trained."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from kubefit.api.base import Model


class Optimizer(StrEnum):
    """Optimizers of Keras, with Keras' own defaults beside the learning rate."""

    ADAM = "adam"
    ADAMW = "adamw"
    SGD = "sgd"
    RMSPROP = "rmsprop"


class Loss(StrEnum):
    """Loss function; `auto` is cross-entropy, binary for a sigmoid output."""

    AUTO = "auto"
    SPARSE_CATEGORICAL_CROSSENTROPY = "sparse_categorical_crossentropy"
    BINARY_CROSSENTROPY = "binary_crossentropy"


class Training(Model):
    """How the network is trained."""

    epochs: Annotated[int, Field(ge=1, le=100000)]
    """Passes over the training images."""
    global_batch_size: Annotated[int, Field(ge=1, le=1048576)] = 32
    """Images per step over all workers together; it does not change with their number."""
    steps_per_epoch: Annotated[int, Field(ge=1)] | SkipJsonSchema[None] = None
    """Ends an epoch after so many steps; by default when every image was seen once."""
    optimizer: Optimizer = Optimizer.ADAM
    """Optimizer."""
    learning_rate: Annotated[float, Field(ge=1e-12, le=1000.0)] = 0.001
    """Learning rate."""
    loss: Loss = Loss.AUTO
    """Loss function."""
    seed: Annotated[int, Field(ge=0, le=2147483647)] = 0
    """Seed of initial weights, order of images, augmentation and dropout."""
