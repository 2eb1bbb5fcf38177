"""`spec.recipe`: what to train without code.

Models only; `kubefit_trainer.recipe` carries them out.
"""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from kubefit.api.base import Fraction, Model, rule


class Flip(StrEnum):
    """Axes along which images are mirrored at random."""

    NONE = "none"
    HORIZONTAL = "horizontal"
    VERTICAL = "vertical"
    BOTH = "both"


class Backbone(StrEnum):
    """Backbones of `keras.applications`."""

    CONVNEXT_TINY = "ConvNeXtTiny"
    DENSENET121 = "DenseNet121"
    EFFICIENTNET_B0 = "EfficientNetB0"
    EFFICIENTNET_V2_B0 = "EfficientNetV2B0"
    EFFICIENTNET_V2_S = "EfficientNetV2S"
    INCEPTION_V3 = "InceptionV3"
    MOBILENET = "MobileNet"
    MOBILENET_V2 = "MobileNetV2"
    MOBILENET_V3_LARGE = "MobileNetV3Large"
    MOBILENET_V3_SMALL = "MobileNetV3Small"
    RESNET50 = "ResNet50"
    RESNET101 = "ResNet101"
    RESNET152 = "ResNet152"
    RESNET50_V2 = "ResNet50V2"
    RESNET101_V2 = "ResNet101V2"
    RESNET152_V2 = "ResNet152V2"
    VGG16 = "VGG16"
    VGG19 = "VGG19"
    XCEPTION = "Xception"


class Activation(StrEnum):
    """Activation of a convolution or dense block."""

    RELU = "relu"
    GELU = "gelu"
    SILU = "silu"
    TANH = "tanh"
    LINEAR = "linear"


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


class Output(StrEnum):
    """Activation of the output layer; `auto` is softmax over the classes."""

    AUTO = "auto"
    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"
    """One unit; needs exactly two classes."""


class Images(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [
            rule("has(self.folder) != has(self.npz)", "set exactly one of folder and npz"),
        ]
    },
):
    """A set of labelled images.

    Relative paths are relative to the volume, absolute ones lie in the image.
    """

    folder: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """Folder with one sub-folder of PNG, JPEG, BMP or GIF images per class, sorted by name."""
    npz: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """NumPy archive: uint8 images (N, height, width[, channels]) and labels (N,)."""
    images_key: Annotated[str, Field(min_length=1)] = "x"
    """Name of the array of images in the archive."""
    labels_key: Annotated[str, Field(min_length=1)] = "y"
    """Name of the array of integer labels, 0 to classes - 1, in the archive."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.folder is None) == (self.npz is None):
            raise ValueError("set exactly one of folder and npz")
        return self


class Data(Model):
    """Where the images are and how they are read."""

    train: Images
    """Training images; the validation split is taken from them."""
    test: Images | SkipJsonSchema[None] = None
    """Images for the evaluation after training. Without them the validation split is evaluated."""
    validation_split: Annotated[float, Field(ge=0.0, le=0.9)] = 0.0
    """Share of the training images held out for validation.

    Chosen by the seed, the same for any number of workers.
    """
    image_size: Annotated[
        list[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=2, max_length=2)
    ]
    """Height and width in pixels to which every image is resized."""
    channels: Annotated[int, Field(ge=1, le=3, json_schema_extra={"enum": [1, 3]})] = 3
    """1 for grayscale, 3 for RGB."""

    @model_validator(mode="after")
    def _gray_or_rgb(self) -> Self:
        if self.channels not in (1, 3):
            raise ValueError(f"channels: {self.channels} is not 1 (grayscale) or 3 (RGB)")
        return self


BLOCK_KINDS = ("conv", "pool", "globalPool", "batchNorm", "flatten", "dense", "dropout")
_ONE_BLOCK = (
    "a block has exactly one of conv, pool, globalPool, batchNorm, flatten, dense and dropout"
)


class Block(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [
            rule(
                "["
                + ", ".join(f"has(self.{kind})" for kind in BLOCK_KINDS)
                + "].filter(x, x).size() == 1",
                _ONE_BLOCK,
            ),
        ]
    },
):
    """One layer of a plain network: exactly one kind, e.g. `{conv: 32}` or `{dense: 512}`."""

    conv: Annotated[int, Field(ge=1, le=65536)] | SkipJsonSchema[None] = None
    """Convolution with that many filters."""
    pool: Annotated[int, Field(ge=1, le=64)] | SkipJsonSchema[None] = None
    """Max pooling with that window and stride."""
    global_pool: bool | SkipJsonSchema[None] = None
    """Global average pooling."""
    batch_norm: bool | SkipJsonSchema[None] = None
    """Batch normalization."""
    flatten: bool | SkipJsonSchema[None] = None
    """Flattens to one dimension."""
    dense: Annotated[int, Field(ge=1, le=1048576)] | SkipJsonSchema[None] = None
    """Dense layer with that many units."""
    dropout: Annotated[float, Field(ge=0.0, le=0.99)] | SkipJsonSchema[None] = None
    """Dropout with that rate."""
    kernel: Annotated[int, Field(ge=1, le=64)] = 3
    """Side of a convolution's kernel."""
    activation: Activation = Activation.RELU
    """Activation of a convolution or dense layer."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        wire = self.model_dump(by_alias=True, exclude_none=True)
        if sum(kind in wire for kind in BLOCK_KINDS) != 1:
            raise ValueError(_ONE_BLOCK)
        return self


class PretrainedBackbone(Model):
    """A backbone of `keras.applications` with a new classification head."""

    name: Backbone
    """Name as in `keras.applications`."""
    weights: Annotated[str, Field(min_length=1)] = "imagenet"
    """`imagenet`, `none`, or the path of a weights file.

    A relative path lies on the volume, an absolute one in the image.
    """
    fine_tune: bool = False
    """Trains the backbone too; otherwise it stays frozen and only the head learns."""
    dropout: Annotated[float, Field(ge=0.0, le=0.99)] = 0.2
    """Dropout before the head."""


class ModelSpec(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [
            rule(
                "has(self.blocks) != has(self.backbone)", "set exactly one of blocks and backbone"
            ),
        ]
    },
):
    """The network: a list of plain blocks or a backbone; the output layer follows from the data."""

    blocks: Annotated[list[Block], Field(min_length=1, max_length=256)] | SkipJsonSchema[None] = (
        None
    )
    """Layers in order; the output layer follows them."""
    backbone: PretrainedBackbone | SkipJsonSchema[None] = None
    """A named backbone."""
    output: Output = Output.AUTO
    """Activation of the output layer."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.blocks is None) == (self.backbone is None):
            raise ValueError("set exactly one of blocks and backbone")
        return self


class Augmentation(Model):
    """Random changes of training images, drawn anew each epoch from (seed, epoch, image)."""

    flip: Flip = Flip.NONE
    """Mirrors along these axes with probability one half each."""
    rotation: Annotated[float, Field(ge=0.0, le=180.0)] = 0.0
    """Largest angle in degrees, both ways."""
    zoom: Annotated[float, Field(ge=0.0, le=0.9)] = 0.0
    """Largest relative change of size, in and out."""
    translation: Fraction = 0.0
    """Largest shift, as a share of height and width."""
    crop: Annotated[float, Field(ge=0.0, le=0.9)] = 0.0
    """Largest share of height and width cut away at a random place; the rest is resized back."""
    contrast: Fraction = 0.0
    """Largest relative change of contrast."""


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


class Recipe(Model):
    """Image classification described in data, no code."""

    data: Data
    model: ModelSpec
    augmentation: Augmentation = Augmentation()
    training: Training
