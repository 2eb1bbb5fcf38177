"""What a backbone starts from, read once, by the chief: architecture and weights.

Files are opened for reading only and nothing is written beside them, so that a volume may be
mounted read-only.
"""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from kubefit.api.recipe import PretrainedBackbone
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import weights as files
from kubefit_trainer.recipe import backbones, hub

_FIELD = "spec.recipe.model.backbone"
_LONGEST_REASON = 400
_IMAGENET_DEVIATION = [0.229, 0.224, 0.225]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretrained:
    """A backbone that somebody trained before."""

    architecture: str = ""
    """JSON of a saved model; empty where the name or the function says how to build it."""
    values: list[NDArray[Any]] | None = None
    """Of all weights of the backbone in their order; None where it has only its initial ones."""


def load(
    spec: PretrainedBackbone, *, input_shape: tuple[int, int, int], volume: Path
) -> Pretrained:
    """Reads what the backbone starts from.

    To be called outside the scope of a strategy, as it builds a model of its own.

    Raises:
        ConfigurationError: the weights cannot be had or do not fit.

    """
    if not spec.stored and spec.weights in (None, "none"):
        return Pretrained()
    architecture = ""
    if spec.weights == "imagenet":
        model = _downloaded(spec)
    else:
        path = files.find(spec, volume)
        _check_sum(spec, path)
        if spec.saved is not None:
            model = _load_saved(path)
        elif spec.keras_hub is not None:
            model = hub.read(
                path.parent, load_weights=spec.pretrained, rescale=spec.preprocessing is None
            )
        else:
            model = backbones.network(spec, input_shape)
            _load_into(model, path, label=spec.label)
    base = backbones.cut(spec, model, input_shape)
    if spec.stored:
        architecture = model.to_json()
    if not spec.pretrained:
        return Pretrained(architecture=architecture)
    return Pretrained(architecture=architecture, values=_as_trained(spec, base))


def _load_saved(path: Path) -> keras.Model:
    try:
        return keras.models.load_model(path, compile=False)
    except (ValueError, OSError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ConfigurationError(
            f"{_FIELD}.saved: {path} cannot be loaded as a Keras model: {_first_line(error)}"
        ) from error


def _downloaded(spec: PretrainedBackbone) -> keras.Model:
    build = getattr(keras.applications, str(spec.name))
    try:
        # The weights without the top do not depend on the size of the images.
        return build(include_top=False, weights="imagenet")
    # Keras raises a bare Exception where the download fails.
    except Exception as error:
        raise ConfigurationError(
            f"{_FIELD}.weights: the imagenet weights of {spec.label} cannot be downloaded"
            f" ({_first_line(error)}); put the file on the volume and give its path"
        ) from error


def _load_into(model: keras.Model, path: Path, *, label: str) -> None:
    before = [layer.get_weights() for layer in model.layers]
    try:
        model.load_weights(path)
    except (ValueError, OSError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise _other_network(path, label, _difference(error)) from error
    for layer, old in zip(model.layers, before, strict=True):
        # Kernels start at random: those that are the same were not in the file.
        kept = [np.array_equal(a, b) for a, b in zip(old, layer.get_weights(), strict=True)]
        if any(same and value.ndim > 1 for same, value in zip(kept, old, strict=True)):
            raise _other_network(path, label, f"it has none for the layer {layer.name}")


def _difference(error: Exception) -> str:
    """What Keras has seen, on one line: the first paragraphs, without the list of all layers."""
    said, _, _ = str(error).partition("List of objects that could not be loaded")
    return " ".join(said.split())[:_LONGEST_REASON].rstrip(" .")


def _other_network(path: Path, label: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{_FIELD}.weights: {path} does not hold weights of {label} without its top: {reason}"
    )


def _as_trained(spec: PretrainedBackbone, model: keras.Model) -> list[NDArray[Any]]:
    """Weights for a network built without its name for them.

    `keras.applications` divides the input of EfficientNetB0 to B7 by the root of the deviation of
    ImageNet only when it is built for those weights. Elsewhere the variance takes that in:
    (x - m) / sqrt(v) / sqrt(d) = (x - m) / sqrt(v d).
    """
    values = list(model.get_weights())
    if spec.name is None or not spec.name.startswith("EfficientNetB"):
        return values
    names = [weight.path for weight in model.weights]
    for i, name in enumerate(names):
        if name.endswith("normalization/variance") and np.allclose(
            values[i].ravel(), _IMAGENET_DEVIATION, atol=1e-3
        ):
            deviation = np.reshape(_IMAGENET_DEVIATION, values[i].shape)
            values[i] = (values[i] * deviation).astype(values[i].dtype)
    return values


def _check_sum(spec: PretrainedBackbone, path: Path) -> None:
    if spec.sha256 is None or not spec.pretrained:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != spec.sha256:
        raise ConfigurationError(
            f"{_FIELD}.sha256: {path} has {found}, not {spec.sha256}; it is another file than the"
            " one the recipe means"
        )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
