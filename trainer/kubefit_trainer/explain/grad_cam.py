"""Grad-CAM: which places of the last map of a network raise its answer.

Selvaraju et al.: Grad-CAM (ICCV 2017), each place weighed by its own gradient as in Draelos, Carin:
HiResCAM (2020). Where a network averages its map, both are the same; where it flattens it, the mean
of all gradients would often leave nothing.

The model runs eagerly and its layers are looked at while they work, so that it may be nested in any
way: plain blocks, backbones, networks of others.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kubefit_trainer.explain import scores
from kubefit_trainer.explain.scores import Directions

_CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)
_POOLING = (
    keras.layers.AveragePooling2D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.MaxPooling2D,
)


class NoMapError(Exception):
    """The network has no map of places to look at; the text says why."""


@dataclass(frozen=True, slots=True)
class Heat:
    """Where the reasons lie."""

    layer: str
    """Whose map was looked at."""
    maps: NDArray[np.float32]
    """0 to 1 for each place of that map, (images, rows, columns); 1 is the most of an image.

    All 0 where nothing speaks for the answer.
    """


def heat(model: keras.Model, images: NDArray[np.float32], directions: Directions) -> Heat:
    """Grad-CAM of images (images, height, width, channels) as the model takes them.

    Raises:
        NoMapError: there is no convolution, or attention mixes the places after it.

    """
    layer = _last_map(model, images[:1])
    seen: list[Any] = []
    with tf.GradientTape(watch_accessed_variables=False) as tape:

        def look(_: keras.layers.Layer, output: Any) -> None:
            tape.watch(output)
            seen[:] = [output]

        with scores.before_activation(model), _looked_at([layer], look):
            score = scores.of(model(images, training=False), directions)
    gradients = tf.cast(tape.gradient(score, seen[0]), tf.float32)
    found = tf.nn.relu(tf.reduce_sum(gradients * tf.cast(seen[0], tf.float32), axis=3)).numpy()
    largest = found.max(axis=(1, 2), keepdims=True)
    maps = np.divide(found, largest, out=np.zeros_like(found), where=largest > 0)
    return Heat(layer.name, maps)


def _last_map(model: keras.Model, image: NDArray[np.float32]) -> keras.layers.Layer:
    """The layer with the last map before pooling, by a run of the model."""
    layers = list(model._flatten_layers(include_self=False))
    leaves = {id(one) for one in layers if not list(one._flatten_layers(include_self=False))}
    ran: list[tuple[keras.layers.Layer, tuple[int, ...]]] = []
    with _looked_at(layers, lambda layer, output: ran.append((layer, tuple(output.shape)))):
        model(image, training=False)
    first = next((i for i, (one, _) in enumerate(ran) if isinstance(one, _CONVOLUTIONS)), None)
    if first is None:
        raise NoMapError("the network has no convolution, and so no map of places to look at")
    maps = [
        i
        for i, (layer, shape) in enumerate(ran)
        if i >= first
        and id(layer) in leaves
        and len(shape) == 4
        and shape[1] * shape[2] > 1
        and not isinstance(layer, _POOLING)
    ]
    if not maps:
        raise NoMapError("the maps of the network have one place only")
    if any("Attention" in type(layer).__name__ for layer, _ in ran[maps[-1] :]):
        raise NoMapError(
            "attention mixes the places after the last convolution, so that its map does not show"
            " where the reasons lie"
        )
    return ran[maps[-1]][0]


@contextmanager
def _looked_at(
    layers: list[keras.layers.Layer], look: Callable[[keras.layers.Layer, Any], None]
) -> Iterator[None]:
    """Calls `look` with each layer and its output, if that is one tensor, in the order of work."""

    def seen(layer: keras.layers.Layer) -> Callable[..., Any]:
        work = layer.call

        def call(*args: Any, **kwargs: Any) -> Any:
            output = work(*args, **kwargs)
            if tf.is_tensor(output):
                look(layer, output)
            return output

        return call

    for layer in layers:
        layer.__dict__["call"] = seen(layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.__dict__["call"]
