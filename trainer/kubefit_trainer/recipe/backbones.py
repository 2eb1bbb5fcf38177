"""Backbones of `keras.applications`: construction, weights, and the preprocessing each expects.

The preprocessing is part of the model, so that every model takes raw RGB pixels of 0 to 255.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from kubefit.api.recipe import Backbone, PretrainedBackbone
from kubefit_trainer.failure import ConfigurationError

FIELD = "spec.recipe.model.backbone.weights"


class _Preprocessing(Enum):
    """What the original weights were trained on, as in `keras.applications.imagenet_utils`."""

    BUILT_IN = "built in"
    SYMMETRIC = "-1 to 1"
    CAFFE = "BGR less the mean"
    TORCH = "normalized RGB"


_FAMILIES = {
    "ConvNeXt": _Preprocessing.BUILT_IN,
    "DenseNet": _Preprocessing.TORCH,
    "EfficientNet": _Preprocessing.BUILT_IN,
    "InceptionV3": _Preprocessing.SYMMETRIC,
    "MobileNetV3": _Preprocessing.BUILT_IN,
    "MobileNet": _Preprocessing.SYMMETRIC,
    "ResNet50V2": _Preprocessing.SYMMETRIC,
    "ResNet101V2": _Preprocessing.SYMMETRIC,
    "ResNet152V2": _Preprocessing.SYMMETRIC,
    "ResNet": _Preprocessing.CAFFE,
    "VGG": _Preprocessing.CAFFE,
    "Xception": _Preprocessing.SYMMETRIC,
}
"""By the start of the name; the first match counts."""

_BGR_MEAN = [103.939, 116.779, 123.68]
_RGB_MEAN = [0.485, 0.456, 0.406]
_RGB_DEVIATION = [0.229, 0.224, 0.225]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Pretrained weights: values in the order of the model's weights."""

    values: list[NDArray[np.float32]]


def load_weights(
    spec: PretrainedBackbone, *, input_shape: tuple[int, int, int], volume: Path
) -> Weights | None:
    """Pretrained weights of the backbone, or None where none are asked for.

    To be called outside the scope of a strategy: it builds a model of its own.

    Raises:
        ConfigurationError: the weights cannot be had or do not fit.

    """
    if spec.weights == "none":
        return None
    if spec.weights == "imagenet":
        model = _downloaded(spec, input_shape)
    else:
        model = _from_file(spec, input_shape, volume / spec.weights)
    return Weights(values=model.get_weights())


def _downloaded(spec: PretrainedBackbone, input_shape: tuple[int, int, int]) -> keras.Model:
    try:
        with _alone_on_this_machine():
            return _construct(spec.name, input_shape, weights="imagenet")
    # Keras raises a bare Exception where the download fails.
    except Exception as error:
        raise ConfigurationError(
            f"{FIELD}: the imagenet weights of {spec.name} cannot be downloaded"
            f" ({_first_line(error)}); put the file on the volume and give its path"
        ) from error


@contextmanager
def _alone_on_this_machine() -> Iterator[None]:
    """Workers on one machine share Keras' cache, into which it downloads without a lock."""
    with (Path(tempfile.gettempdir()) / f"kubefit-weights-{os.getuid()}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _from_file(
    spec: PretrainedBackbone, input_shape: tuple[int, int, int], path: Path
) -> keras.Model:
    model = _construct(spec.name, input_shape, weights=None)
    try:
        model.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        raise ConfigurationError(
            f"{FIELD}: {path} does not hold weights of {spec.name} without its top:"
            f" {_first_line(error)}"
        ) from error
    return model


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def features(
    spec: PretrainedBackbone, inputs: keras.KerasTensor, *, weights: Weights | None
) -> keras.KerasTensor:
    """Features (batch, units) of raw pixels (batch, height, width, 3).

    Pretrained batch normalization keeps its statistics, also while fine-tuning: the small batches
    of a fine-tuning would spoil them.
    """
    base = _construct(spec.name, tuple(inputs.shape[1:]), weights=None)
    if weights is not None:
        base.set_weights(weights.values)
    base.trainable = spec.fine_tune
    images = preprocess(spec.name, inputs)
    learns_statistics = spec.fine_tune and weights is None
    return base(images) if learns_statistics else base(images, training=False)


def preprocess(name: Backbone, pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Pixels of 0 to 255 as the backbone expects them."""
    kind = next(k for prefix, k in _FAMILIES.items() if name.value.startswith(prefix))
    rescaling = keras.layers.Rescaling
    if kind is _Preprocessing.SYMMETRIC:
        return rescaling(1 / 127.5, offset=-1.0)(pixels)
    if kind is _Preprocessing.CAFFE:
        reversed_ = keras.ops.flip(pixels, axis=-1)
        return rescaling(1.0, offset=[-mean for mean in _BGR_MEAN])(reversed_)
    if kind is _Preprocessing.TORCH:
        scale = [1 / (255 * deviation) for deviation in _RGB_DEVIATION]
        offset = [-m / d for m, d in zip(_RGB_MEAN, _RGB_DEVIATION, strict=True)]
        return rescaling(scale, offset=offset)(pixels)
    return pixels


def _construct(
    name: Backbone, input_shape: tuple[int, int, int], *, weights: str | None
) -> keras.Model:
    build = getattr(keras.applications, name.value)
    return build(
        include_top=False, weights=weights, input_shape=input_shape, pooling="avg", name=name.value
    )
