"""Integrated gradients: how much each pixel adds to the answer, from a black image to this one.

Sundararajan, Taly, Yan: Axiomatic attribution for deep networks (ICML 2017). What all pixels add
together must be what the answer differs by: that is checked, and told.
"""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kubefit_trainer.explain import scores
from kubefit_trainer.explain.scores import Directions

_STEPS = 32
_MOST_STEPS = 512
CLOSE = 0.05
"""A sum this near, as a share of the difference, is complete; steps are doubled until it is."""
_AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What the pixels of one image add."""

    values: NDArray[np.float32]
    """For each pixel and channel, (height, width, channels)."""
    difference: float
    """Of the answers to this image and to a black one."""
    gap: float
    """How far the sum of the values is from that, as a share of it."""
    steps: int

    @property
    def complete(self) -> bool:
        """Whether the values explain the whole difference."""
        return self.gap <= CLOSE

    @property
    def heat(self) -> NDArray[np.float32]:
        """0 to 1 for each pixel (height, width), by what it adds or takes, the most cut at 99 %."""
        size = np.abs(self.values).sum(axis=2)
        top = float(np.quantile(size, 0.99)) or float(size.max())
        found: NDArray[np.float32] = np.clip(size / top, 0.0, 1.0) if top else size
        return found


def attribution(
    model: keras.Model,
    image: NDArray[np.float32],
    direction: Directions,
    *,
    at_once: int = _AT_ONCE,
) -> Attribution:
    """Integrated gradients of one image (height, width, channels) along (units,) of the outputs.

    The image goes through the model with at most `at_once` brightnesses together.
    """
    with scores.before_activation(model):
        ends = np.stack([np.zeros_like(image), image])
        black, score = scores.of(model(ends, training=False), np.stack([direction] * 2)).numpy()
        difference, steps = float(score - black), _STEPS
        while True:
            mean = _mean_gradient(model, image, direction, steps, min(at_once, _AT_ONCE))
            values: NDArray[np.float32] = (image * mean).astype(np.float32)
            sum_of_all = float(np.sum(values, dtype=np.float64))
            gap = abs(sum_of_all - difference) / max(abs(difference), 1e-6)
            if gap <= CLOSE or steps >= _MOST_STEPS:
                return Attribution(values=values, difference=difference, gap=gap, steps=steps)
            steps *= 2


def _mean_gradient(
    model: keras.Model,
    image: NDArray[np.float32],
    direction: Directions,
    steps: int,
    at_once: int,
) -> NDArray[np.float32]:
    """Mean of the gradient on the way from black to the image, in the middle of each step."""
    shares = ((np.arange(steps) + 0.5) / steps).astype(np.float32)
    total = np.zeros_like(image)
    for part in np.split(shares, range(at_once, steps, at_once)):
        between = tf.constant(part[:, None, None, None] * image)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(between)
            outputs = model(between, training=False)
            score = scores.of(outputs, np.tile(direction, (len(part), 1)))
        total += tape.gradient(score, between).numpy().sum(axis=0)
    return (total / steps).astype(np.float32)
