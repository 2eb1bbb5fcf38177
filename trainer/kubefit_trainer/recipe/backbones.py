"""Backbones: networks that turn pixels into features, by name, from a file or from a program."""

import importlib
import json
from typing import Any

import keras

from kubefit.api.recipe import PretrainedBackbone
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.recipe import hub
from kubefit_trainer.recipe.preprocessing import of_backbone, preprocess

LAYER = "backbone"
"""Name of the layer of a model that is its backbone."""
_FIELD = "spec.recipe.model.backbone"


def features(
    spec: PretrainedBackbone, inputs: keras.KerasTensor, *, architecture: str = ""
) -> keras.KerasTensor:
    """Features (batch, units) of raw pixels (batch, height, width, channels).

    The backbone is the layer `LAYER` of the model, with initial weights. `architecture` is the JSON
    of a saved model. Which layers learn is up to each phase.
    """
    shape = tuple(inputs.shape[1:])
    base = cut(spec, network(spec, shape, architecture=architecture), shape)
    if spec.stochastic_depth is not None:
        _set_stochastic_depth(base, spec.stochastic_depth)
    found = base(preprocess(of_backbone(spec), inputs))
    return keras.layers.GlobalAveragePooling2D()(found) if len(found.shape) == 4 else found


def network(
    spec: PretrainedBackbone, input_shape: tuple[int, int, int], *, architecture: str = ""
) -> keras.Model:
    """The whole network, without a top if it is one of Keras, with initial weights.

    Raises:
        ConfigurationError: it cannot be built.

    """
    if spec.name is not None:
        build = getattr(keras.applications, spec.name.value)
        return build(include_top=False, weights=None, input_shape=input_shape)
    if spec.stored:
        if hub.needed_by(architecture):
            hub.package()
        return keras.models.model_from_json(
            json.dumps(_in_policy_of_here(json.loads(architecture)))
        )
    return _call(str(spec.function), input_shape)


def _in_policy_of_here(config: Any) -> Any:
    """The same without number formats of layers, so that they take that of the recipe."""
    if isinstance(config, list):
        return [_in_policy_of_here(item) for item in config]
    if not isinstance(config, dict):
        return config
    return {
        name: _in_policy_of_here(value)
        for name, value in config.items()
        if not (
            name == "dtype" and isinstance(value, dict) and value["class_name"] == "DTypePolicy"
        )
    }


def cut(
    spec: PretrainedBackbone, whole: keras.Model, input_shape: tuple[int, int, int]
) -> keras.Model:
    """The network up to the layer that the recipe names; it shares its layers with the whole.

    Raises:
        ConfigurationError: it does not fit the images, or has no such layer.

    """
    try:
        (source,), (output,) = whole.inputs, whole.outputs
    except (AttributeError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{_FIELD}: {spec.label} is no graph from one input to one output; build it with"
            " keras.Model or keras.Sequential and an Input"
        ) from error
    if spec.layer is not None:
        output = _layer(whole, spec).output
    _check(spec, source, output, input_shape)
    return keras.Model(source, output, name=LAYER)


def _call(function: str, input_shape: tuple[int, int, int]) -> Any:
    module, _, name = function.partition(":")
    try:
        build = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"{_FIELD}.function: {function} cannot be imported in the image: {error}"
        ) from error
    model = build(input_shape=input_shape)
    if not isinstance(model, keras.Model):
        raise ConfigurationError(
            f"{_FIELD}.function: {function} returned {type(model).__name__}, not a Keras model"
        )
    return model


def _layer(base: keras.Model, spec: PretrainedBackbone) -> keras.layers.Layer:
    try:
        return base.get_layer(spec.layer)
    except ValueError as error:
        names = ", ".join(layer.name for layer in base.layers[-5:])
        raise ConfigurationError(
            f"{_FIELD}.layer: {spec.label} has no layer {spec.layer!r}; its last ones are {names}"
        ) from error


def _check(
    spec: PretrainedBackbone, source: Any, output: Any, input_shape: tuple[int, int, int]
) -> None:
    wanted = tuple(getattr(source, "shape", ()))[1:]
    fits = len(wanted) == 3 and all(
        side in (None, given) for side, given in zip(wanted, input_shape, strict=True)
    )
    if not fits:
        raise ConfigurationError(
            f"spec.recipe.data.imageSize: {spec.label} takes inputs of shape {wanted}, not the"
            f" {input_shape} of the images (height, width, channels)"
        )
    if len(getattr(output, "shape", ())) not in (2, 4):
        raise ConfigurationError(
            f"{_FIELD}.layer: {spec.label} gives no vector and no map per image there; name a layer"
            " that does"
        )


def _set_stochastic_depth(base: keras.Model, rate: float) -> None:
    """Scales the rates, which grow with depth, so that the largest is `rate`."""
    drops = [
        layer
        for layer in base.layers
        if isinstance(layer, keras.layers.Dropout) and layer.noise_shape is not None
    ]
    largest = max((layer.rate for layer in drops), default=1.0)
    for layer in drops:
        layer.rate *= rate / largest
