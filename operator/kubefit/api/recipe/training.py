"""`spec.recipe.training`: how the network is trained."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic.json_schema import SkipJsonSchema

from kubefit.api.base import Fraction, Model, rule


class Optimizer(StrEnum):
    """Optimizers of Keras, with Keras' own defaults beside what is set here."""

    ADAM = "adam"
    ADAMW = "adamw"
    SGD = "sgd"
    RMSPROP = "rmsprop"


class Loss(StrEnum):
    """Loss function, as in Keras.

    `auto` is cross-entropy, binary for a sigmoid output, and the mean squared error of numbers.
    """

    AUTO = "auto"
    SPARSE_CATEGORICAL_CROSSENTROPY = "sparse_categorical_crossentropy"
    BINARY_CROSSENTROPY = "binary_crossentropy"
    MEAN_SQUARED_ERROR = "mean_squared_error"
    MEAN_ABSOLUTE_ERROR = "mean_absolute_error"
    HUBER = "huber"


class Precision(StrEnum):
    """Number format of the layers; weights and sums over workers stay float32."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    AUTO = "auto"
    """bfloat16 where every worker has a GPU that computes with it, else float32."""


class ScheduleKind(StrEnum):
    """How the learning rate goes on after the warm-up."""

    CONSTANT = "constant"
    COSINE = "cosine"
    """Half a cosine from the peak down to `floor`."""
    STEP = "step"
    """Times `factor` every `every` epochs."""
    PLATEAU = "plateau"
    """Times `factor` when the validation loss has not improved for `every` epochs."""


class Schedule(Model):
    """The learning rate over the epochs of a phase."""

    kind: ScheduleKind = ScheduleKind.CONSTANT
    """How it goes on after the warm-up."""
    warmup_epochs: Annotated[float, Field(ge=0.0, le=100000.0)] = 0.0
    """Epochs in which it rises linearly from zero; parts of an epoch count."""
    floor: Fraction = 0.0
    """Smallest learning rate of cosine, step and plateau, as a share of the peak."""
    factor: Annotated[float, Field(ge=0.001, le=0.999)] = 0.1
    """For step and plateau."""
    every: Annotated[int, Field(ge=1, le=100000)] = 10
    """Epochs, for step and plateau."""


class Watched(StrEnum):
    """What early stopping looks at, on the images held out for validation."""

    LOSS = "loss"
    ACCURACY = "accuracy"


class EarlyStopping(Model):
    """Ends a phase that no longer improves; the next one starts from the best weights."""

    patience: Annotated[int, Field(ge=1, le=100000)] = 5
    """Epochs without improvement after which the phase ends."""
    metric: Watched = Watched.LOSS
    """What must improve."""
    min_delta: Annotated[float, Field(ge=0.0, le=1000.0)] = 0.0
    """A smaller change is no improvement."""
    restore_best: bool = True
    """Takes the weights of the best epoch at the end, also when all epochs ran."""


Unfreeze = Annotated[
    str, Field(pattern=r"^(none|all|[1-9][0-9]{0,3} (blocks?|layers?))$", max_length=16)
]
"""`none`, `all`, `3 blocks` or `20 layers`, counted from the head."""

AUTO: Literal["auto"] = "auto"
_RATES = (1e-12, 1000.0)


def _learning_rate(value: object) -> object:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value != AUTO and not (number and _RATES[0] <= float(str(value)) <= _RATES[1]):
        raise ValueError(f"{value!r} is neither auto nor a number of 1e-12 to 1000")
    return value


LearningRate = Annotated[
    float | Literal["auto"],
    BeforeValidator(_learning_rate),
    # A CRD has no type for number or word; the bounds hold for the one, the pattern for the other.
    WithJsonSchema(
        {
            "x-kubernetes-preserve-unknown-fields": True,
            "minimum": _RATES[0],
            "maximum": _RATES[1],
            "pattern": f"^{AUTO}$",
        }
    ),
]
"""A number, or `auto`: found by a range test."""


def _global_batch_size(value: object) -> object:
    number = isinstance(value, int) and not isinstance(value, bool)
    if value != AUTO and not (number and 1 <= int(str(value)) <= _LARGEST_BATCH):
        raise ValueError(f"{value!r} is neither auto nor a whole number of 1 to {_LARGEST_BATCH}")
    return value


_LARGEST_BATCH = 1048576
GlobalBatchSize = Annotated[
    int | Literal["auto"],
    BeforeValidator(_global_batch_size),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "minimum": 1,
            "maximum": _LARGEST_BATCH,
            "pattern": f"^{AUTO}$",
        }
    ),
]
"""A whole number, or `auto`: the largest that fits into memory and still makes training faster."""
LayerDecay = Annotated[float, Field(ge=0.01, le=1.0)]


class Phase(Model):
    """A stage of training; what it does not say is as in `training`."""

    epochs: Annotated[int, Field(ge=1, le=100000)]
    """Passes over the training images."""
    unfreeze: Unfreeze | SkipJsonSchema[None] = None
    """How much of the backbone learns: `none`, `all`, `3 blocks` or `20 layers` from its end."""
    learning_rate: LearningRate | SkipJsonSchema[None] = None
    """Peak learning rate, that of the head, or `auto`."""
    layer_decay: LayerDecay | SkipJsonSchema[None] = None
    """Each block of the backbone learns that much slower than the one above it."""
    schedule: Schedule | SkipJsonSchema[None] = None
    """The learning rate over this phase."""
    early_stopping: EarlyStopping | SkipJsonSchema[None] = None
    """Ends the phase when it no longer improves."""


_ONE_LENGTH = "set exactly one of epochs and phases"


class Training(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [rule("has(self.epochs) != has(self.phases)", _ONE_LENGTH)]
    },
):
    """How the network is trained.

    Fields without a default take the one of the preset, or else what their description says.
    """

    epochs: Annotated[int, Field(ge=1, le=100000)] | SkipJsonSchema[None] = None
    """Passes over the training images, of all phases together."""
    phases: Annotated[list[Phase], Field(min_length=1, max_length=16)] | SkipJsonSchema[None] = None
    """Stages one after the other, in place of `epochs`: first the head, then more and more."""
    global_batch_size: GlobalBatchSize = 32
    """Images per step over all workers together; it does not change with their number.

    `auto` doubles it by trial steps as long as it fits into memory and makes training faster.
    """
    steps_per_epoch: Annotated[int, Field(ge=1)] | SkipJsonSchema[None] = None
    """Ends an epoch after so many steps; by default when every image was seen once."""
    validation_steps: Annotated[int, Field(ge=1)] | SkipJsonSchema[None] = None
    """Validates on so many batches after an epoch; by default on every image held out."""
    unfreeze: Unfreeze | SkipJsonSchema[None] = None
    """How much of the backbone learns: `none`, `all`, `3 blocks` or `20 layers` from its end.

    Nothing of a backbone with weights, all of one without, if not set.
    """
    optimizer: Optimizer | SkipJsonSchema[None] = None
    """Optimizer; adam if not set."""
    learning_rate: LearningRate | SkipJsonSchema[None] = None
    """Peak learning rate, that of the head; 0.001 if not set.

    `auto` finds one for each phase by some dozen steps at rates from small to large.
    """
    layer_decay: LayerDecay | SkipJsonSchema[None] = None
    """Each block of the backbone learns that much slower than the one above it; 1 if not set."""
    schedule: Schedule | SkipJsonSchema[None] = None
    """The learning rate over each phase; constant if not set."""
    weight_decay: Annotated[float, Field(ge=0.0, le=1.0)] | SkipJsonSchema[None] = None
    """Decoupled decay of kernels, not of biases and normalization; 0.004 with adamw, else 0."""
    l2: Annotated[float, Field(ge=0.0, le=1.0)] | SkipJsonSchema[None] = None
    """Penalty on squares of kernels, part of the loss; 0 if not set."""
    clip_norm: Annotated[float, Field(ge=1e-6, le=1e6)] | SkipJsonSchema[None] = None
    """Largest norm of the gradient of the global batch; without a limit if not set."""
    ema_epochs: Annotated[float, Field(ge=0.001, le=1000.0)] | SkipJsonSchema[None] = None
    """Validates and keeps an exponential moving average of the weights with that time constant."""
    early_stopping: EarlyStopping | SkipJsonSchema[None] = None
    """Ends a phase when it no longer improves; needs images held out for validation."""
    precision: Precision | SkipJsonSchema[None] = None
    """Number format of the layers; float32 if not set."""
    loss: Loss = Loss.AUTO
    """Loss function."""
    seed: Annotated[int, Field(ge=0, le=2147483647)] = 0
    """Seed of initial weights, order of images, augmentation and dropout."""

    @property
    def images_per_step(self) -> int:
        """The number that `global_batch_size` is, or that was found for it.

        Raises:
            ValueError: none was found yet.

        """
        if self.global_batch_size == AUTO:
            raise ValueError("the global batch size is still to be found")
        return self.global_batch_size

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.epochs is None) == (self.phases is None):
            raise ValueError(_ONE_LENGTH)
        return self
