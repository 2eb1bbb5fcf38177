"""Pixels as each family of `keras.applications` was trained on them.

The preprocessing is part of the model, so that every model takes raw RGB pixels of 0 to 255.
"""

import keras

from kubefit.api.recipe import Backbone, Preprocessing, PretrainedBackbone

_FAMILIES = {
    "ConvNeXt": Preprocessing.NONE,
    "DenseNet": Preprocessing.TORCH,
    "EfficientNet": Preprocessing.NONE,
    "Inception": Preprocessing.SYMMETRIC,
    "MobileNetV3": Preprocessing.NONE,
    "MobileNet": Preprocessing.SYMMETRIC,
    "NASNet": Preprocessing.SYMMETRIC,
    "ResNet50V2": Preprocessing.SYMMETRIC,
    "ResNet101V2": Preprocessing.SYMMETRIC,
    "ResNet152V2": Preprocessing.SYMMETRIC,
    "ResNet": Preprocessing.CAFFE,
    "VGG": Preprocessing.CAFFE,
    "Xception": Preprocessing.SYMMETRIC,
}
"""By the start of the name, the first match counts; `none` where the network does it itself."""

_BGR_MEAN = [103.939, 116.779, 123.68]
_RGB_MEAN = [0.485, 0.456, 0.406]
_RGB_DEVIATION = [0.229, 0.224, 0.225]


def of_family(name: Backbone) -> Preprocessing:
    """What a network of `keras.applications` expects."""
    return next(kind for start, kind in _FAMILIES.items() if name.startswith(start))


def of_backbone(spec: PretrainedBackbone) -> Preprocessing:
    """What the backbone expects: as the recipe says, or else as its family does."""
    if spec.preprocessing is not None:
        return spec.preprocessing
    return of_family(spec.name) if spec.name is not None else Preprocessing.NONE


def preprocess(kind: Preprocessing, pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Pixels of 0 to 255, shape (batch, height, width, channels), as the kind wants them."""
    rescaling = keras.layers.Rescaling
    if kind is Preprocessing.UNIT:
        return rescaling(1 / 255)(pixels)
    if kind is Preprocessing.SYMMETRIC:
        return rescaling(1 / 127.5, offset=-1.0)(pixels)
    if kind is Preprocessing.CAFFE:
        reversed_ = keras.ops.flip(pixels, axis=-1)
        return rescaling(1.0, offset=[-mean for mean in _BGR_MEAN])(reversed_)
    if kind is Preprocessing.TORCH:
        scale = [1 / (255 * deviation) for deviation in _RGB_DEVIATION]
        offset = [-m / d for m, d in zip(_RGB_MEAN, _RGB_DEVIATION, strict=True)]
        return rescaling(scale, offset=offset)(pixels)
    return pixels
