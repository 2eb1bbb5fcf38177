"""Augmentation of a batch in at most two passes: one affine resampling and one change of contrast.

Parameters are drawn in NumPy from (seed, epoch, sample), so they depend neither on the number of
workers nor on the batch a sample is in; TensorFlow only applies them.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kubefit.api.recipe import Augmentation, Flip
from kubefit_trainer.recipe.randomness import Stream, uniforms

_DRAWS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """Parameters of the images of one batch."""

    transforms: NDArray[np.float32]
    """Shape (batch, 8): output to input coordinates, as `ImageProjectiveTransformV3` takes them."""
    contrast: NDArray[np.float32]
    """Shape (batch,): factor on the distance of a pixel from the mean of its image."""


def has_geometry(spec: Augmentation) -> bool:
    """Whether the images are resampled at all."""
    return spec.flip is not Flip.NONE or any(
        (spec.rotation, spec.zoom, spec.translation, spec.crop)
    )


def draw(
    spec: Augmentation, samples: NDArray[np.int64], *, size: tuple[int, int], seed: int, epoch: int
) -> Draws:
    """Parameters for these samples in that epoch; `size` is (height, width) in pixels."""
    u = uniforms(samples, _DRAWS, stream=Stream.AUGMENTATION, seed=seed, epoch=epoch).T
    signed = 2.0 * u - 1.0
    angle = np.deg2rad(spec.rotation) * signed[0]
    kept = 1.0 - spec.crop * u[1]
    scale = kept / (1.0 + spec.zoom * signed[2])
    mirror_x = _mirror(u[3], spec.flip in (Flip.HORIZONTAL, Flip.BOTH))
    mirror_y = _mirror(u[4], spec.flip in (Flip.VERTICAL, Flip.BOTH))
    height, width = size
    shift_x = width * (spec.translation * signed[5] + (1.0 - kept) * signed[6] / 2.0)
    shift_y = height * (spec.translation * signed[7] + (1.0 - kept) * signed[8] / 2.0)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return Draws(
        transforms=_about_centre(
            np.stack([cos * mirror_x, -sin * mirror_y, sin * mirror_x, cos * mirror_y]),
            np.stack([shift_x, shift_y]),
            size=size,
        ),
        contrast=(1.0 + spec.contrast * signed[9]).astype(np.float32),
    )


def _mirror(u: NDArray[np.float64], wanted: bool) -> NDArray[np.float64]:
    return np.where(u < 0.5, -1.0, 1.0) if wanted else np.ones_like(u)


def _about_centre(
    linear: NDArray[np.float64], shift: NDArray[np.float64], *, size: tuple[int, int]
) -> NDArray[np.float32]:
    """Rows (a, b, c, d, e, f, 0, 0) of x' = a x + b y + c, y' = d x + e y + f.

    `linear` (4, batch) acts about the centre of the image, `shift` (2, batch) is in pixels.
    """
    centre_y, centre_x = (size[0] - 1) / 2, (size[1] - 1) / 2
    a, b, d, e = linear
    zero = np.zeros_like(a)
    c = centre_x + shift[0] - a * centre_x - b * centre_y
    f = centre_y + shift[1] - d * centre_x - e * centre_y
    return np.stack([a, b, c, d, e, f, zero, zero], axis=1).astype(np.float32)


def apply(
    spec: Augmentation, images: tf.Tensor, *, transforms: tf.Tensor, contrast: tf.Tensor
) -> tf.Tensor:
    """Augmented images; `images` is float32 (batch, height, width, channels) of 0 to 255."""
    if has_geometry(spec):
        resampled = tf.raw_ops.ImageProjectiveTransformV3(
            images=images,
            transforms=transforms,
            output_shape=tf.shape(images)[1:3],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="REFLECT",
        )
        images = tf.ensure_shape(resampled, images.shape)
    if spec.contrast:
        mean = tf.reduce_mean(images, axis=[1, 2], keepdims=True)
        factor = contrast[:, None, None, None]
        images = tf.clip_by_value(mean + factor * (images - mean), 0.0, 255.0)
    return images
