"""`spec.recipe.model`: the network."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from kubefit.api.base import Model, rule


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


class Output(StrEnum):
    """Activation of the output layer; `auto` is softmax over the classes."""

    AUTO = "auto"
    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"
    """One unit; needs exactly two classes."""


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
