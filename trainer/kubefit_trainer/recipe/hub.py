"""Backbones from KerasHub presets in a folder; KerasHub itself is optional.

A preset comes with the scaling that its pixels need. Put into one graph with the network, that
leaves a functional model, which goes the way of any saved one from here on.
"""

import json
from pathlib import Path
from typing import Any

import keras

from kubefit_trainer.failure import ConfigurationError

_FIELD = "spec.recipe.model.backbone.kerasHub"
_PACKAGE = "keras_hub"
_IMAGES = "image_converter.json"


def needed_by(architecture: str) -> bool:
    """Whether the JSON of a model names layers of KerasHub."""
    return f'"{_PACKAGE}' in architecture


def package() -> Any:
    """KerasHub, which registers its layers when it is imported.

    Raises:
        ConfigurationError: it is not installed.

    """
    try:
        # Not at the top: it is optional, and takes seconds.
        import keras_hub
    except ImportError as error:
        raise ConfigurationError(
            f"{_FIELD}: the image has no usable package keras-hub ({error}); build one that has it,"
            " as docs/how-to/fine-tune.md shows"
        ) from error
    return keras_hub


def read(folder: Path, *, load_weights: bool, rescale: bool) -> keras.Model:
    """The backbone of a preset: pixels of 0 to 255 to a map or a vector per image.

    Args:
        folder: With the files of the preset.
        load_weights: False for initial weights.
        rescale: Whether the pixels are scaled as the preset says.

    Raises:
        ConfigurationError: it cannot be loaded.

    """
    hub = package()
    try:
        backbone = hub.models.Backbone.from_preset(str(folder), load_weights=load_weights)
    except (ValueError, OSError, KeyError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigurationError(f"{_FIELD}: {folder} cannot be loaded: {reason}") from error
    return _graph(backbone, _scaling(folder) if rescale else None)


def _graph(backbone: Any, scaling: keras.layers.Layer | None) -> Any:
    """One graph of pixels, their scaling and the network; what takes no one image stays as it is.

    The layers of the network are layers of the graph where they are all of Keras. Some of
    KerasHub's own cannot be made again from what they say of themselves, only the whole can.
    """
    if not isinstance(getattr(backbone, "input", None), keras.KerasTensor):
        return backbone
    pixels = keras.Input(backbone.input.shape[1:], name="pixels")
    scaled = pixels if scaling is None else scaling(pixels)
    found = backbone.call(scaled) if _of_keras_alone(backbone) else backbone(scaled)
    if getattr(backbone, "use_class_token", False):
        found = found[:, 0]
    return keras.Model(pixels, found)


def _of_keras_alone(model: keras.Model) -> bool:
    inner = model._flatten_layers(include_self=False)
    return all(type(layer).__module__.startswith("keras.") for layer in inner)


def _scaling(folder: Path) -> keras.layers.Layer | None:
    file = folder / _IMAGES
    if not file.is_file():
        return None
    config = json.loads(file.read_bytes())["config"]
    scale, offset = config.get("scale"), config.get("offset")
    if scale is None and offset is None:
        return None
    return keras.layers.Rescaling(1.0 if scale is None else scale, offset=offset or 0.0)
