"""`spec.recipe.model`: the network."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from kubefit.api.base import Model, rule


class Backbone(StrEnum):
    """Backbones of `keras.applications`."""

    CONVNEXT_BASE = "ConvNeXtBase"
    CONVNEXT_LARGE = "ConvNeXtLarge"
    CONVNEXT_SMALL = "ConvNeXtSmall"
    CONVNEXT_TINY = "ConvNeXtTiny"
    CONVNEXT_XLARGE = "ConvNeXtXLarge"
    DENSENET121 = "DenseNet121"
    DENSENET169 = "DenseNet169"
    DENSENET201 = "DenseNet201"
    EFFICIENTNET_B0 = "EfficientNetB0"
    EFFICIENTNET_B1 = "EfficientNetB1"
    EFFICIENTNET_B2 = "EfficientNetB2"
    EFFICIENTNET_B3 = "EfficientNetB3"
    EFFICIENTNET_B4 = "EfficientNetB4"
    EFFICIENTNET_B5 = "EfficientNetB5"
    EFFICIENTNET_B6 = "EfficientNetB6"
    EFFICIENTNET_B7 = "EfficientNetB7"
    EFFICIENTNET_V2_B0 = "EfficientNetV2B0"
    EFFICIENTNET_V2_B1 = "EfficientNetV2B1"
    EFFICIENTNET_V2_B2 = "EfficientNetV2B2"
    EFFICIENTNET_V2_B3 = "EfficientNetV2B3"
    EFFICIENTNET_V2_L = "EfficientNetV2L"
    EFFICIENTNET_V2_M = "EfficientNetV2M"
    EFFICIENTNET_V2_S = "EfficientNetV2S"
    INCEPTION_RESNET_V2 = "InceptionResNetV2"
    INCEPTION_V3 = "InceptionV3"
    MOBILENET = "MobileNet"
    MOBILENET_V2 = "MobileNetV2"
    MOBILENET_V3_LARGE = "MobileNetV3Large"
    MOBILENET_V3_SMALL = "MobileNetV3Small"
    NASNET_LARGE = "NASNetLarge"
    NASNET_MOBILE = "NASNetMobile"
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
    """Activation of the output layer.

    `auto` is softmax over the classes, sigmoid for each class of `data.labels` multiLabel, and none
    for numbers.
    """

    AUTO = "auto"
    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"
    """One unit for two classes, the probability of the second; one for each of multiLabel."""


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


class Preprocessing(StrEnum):
    """What a network expects in place of RGB pixels of 0 to 255."""

    NONE = "none"
    """The pixels as they are."""
    UNIT = "unit"
    """0 to 1."""
    SYMMETRIC = "symmetric"
    """-1 to 1."""
    CAFFE = "caffe"
    """BGR less the mean of ImageNet."""
    TORCH = "torch"
    """0 to 1, less the mean of ImageNet, divided by its standard deviation."""


BACKBONE_KINDS = ("name", "saved", "kerasHub", "function")
_ONE_BACKBONE = "set exactly one of name, saved, kerasHub and function"
_OWN_WEIGHTS = "a saved model brings its own weights; leave weights out"
_WITH_OR_WITHOUT = "a KerasHub preset brings its own weights; leave weights out, or set none"


class PretrainedBackbone(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [
            rule(
                "["
                + ", ".join(f"has(self.{kind})" for kind in BACKBONE_KINDS)
                + "].filter(x, x).size() == 1",
                _ONE_BACKBONE,
            ),
            rule("!has(self.saved) || !has(self.weights)", _OWN_WEIGHTS),
            rule(
                "!has(self.kerasHub) || !has(self.weights) || self.weights == 'none'",
                _WITH_OR_WITHOUT,
            ),
        ]
    },
):
    """A network whose features a new classification head learns to use."""

    name: Backbone | SkipJsonSchema[None] = None
    """Name as in `keras.applications`."""
    saved: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """A model saved as `.keras` file.

    A relative path lies on the volume, an absolute one in `spec.volumes` or in the image.
    """
    keras_hub: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """Folder with a KerasHub preset, as `save_to_preset` writes it; the image needs `keras-hub`.

    A relative path lies on the volume, an absolute one in `spec.volumes` or in the image.
    """
    function: (
        Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")] | SkipJsonSchema[None]
    ) = None
    """`module:function` in the image; called with `input_shape`, it returns a Keras model."""
    layer: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """Layer whose output is the features, by name; the last one if not set."""
    preprocessing: Preprocessing | SkipJsonSchema[None] = None
    """What the network expects for pixels.

    If not set: that of its family by name, that of a KerasHub preset, else `none`.
    """
    weights: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """`imagenet`, `none`, or the path of a weights file or of a folder with one.

    A relative path lies on the volume, an absolute one in `spec.volumes` or in the image.
    `imagenet` if not set and there is a name; a function may load its own. Read by the chief only,
    which hands them on.
    """
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | SkipJsonSchema[None] = None
    """Checksum of the file of `weights` or `saved`, or of the weights in the folder of `kerasHub`.

    Another file is refused.
    """
    dropout: Annotated[float, Field(ge=0.0, le=0.99)] | SkipJsonSchema[None] = None
    """Dropout before the head; that of the preset, or else 0.2, if not set."""
    stochastic_depth: Annotated[float, Field(ge=0.0, le=0.9)] | SkipJsonSchema[None] = None
    """Probability of leaving out the last residual branch, less for those before it.

    For the EfficientNet families, which have 0.2 if not set.
    """

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        wire = self.model_dump(by_alias=True, exclude_none=True)
        if sum(kind in wire for kind in BACKBONE_KINDS) != 1:
            raise ValueError(_ONE_BACKBONE)
        if self.saved is not None and self.weights is not None:
            raise ValueError(_OWN_WEIGHTS)
        if self.keras_hub is not None and self.weights not in (None, "none"):
            raise ValueError(_WITH_OR_WITHOUT)
        return self

    @property
    def label(self) -> str:
        """What people know the network by."""
        return self.name or self.saved or self.keras_hub or str(self.function)

    @property
    def stored(self) -> bool:
        """Whether its architecture is in a file, so that the chief tells it to the others."""
        return self.saved is not None or self.keras_hub is not None

    @property
    def pretrained(self) -> bool:
        """Whether it starts from learned weights."""
        return self.weights != "none"


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
