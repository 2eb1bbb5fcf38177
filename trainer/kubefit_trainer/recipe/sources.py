"""Labelled images by sample number: from class folders or from a NumPy archive.

Indexing decodes nothing; pixels are decoded when a batch asks for them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kubefit.api.recipe import Data, Images
from kubefit_trainer.preflight import archives, folders, pictures
from kubefit_trainer.recipe.cache import PixelCache

CACHE_BYTES = 512 * 2**20
"""Decoded images up to this size altogether are kept in memory."""

Load = Callable[[tf.Tensor], tf.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A set of labelled images."""

    labels: NDArray[np.int32]
    load: Load
    """Sample ids (batch,) to pixels, uint8 (batch, height, width, channels)."""
    classes: list[str]
    files: list[str]
    """File of each sample; empty for an archive."""
    field: str
    """Path of the field that names the images."""


def open_source(
    images: Images, data: Data, *, volume: Path, field: str, classes: list[str] | None = None
) -> Source:
    """Indexes a set of images; `classes` are those of the training set, absent for that set itself.

    Raises:
        ConfigurationError: the images are missing or unusable.

    """
    if images.folder is not None:
        return _from_folder(volume / images.folder, data, field=f"{field}.folder", classes=classes)
    return _from_archive(images, data, volume=volume, field=f"{field}.npz", classes=classes)


def _from_folder(folder: Path, data: Data, *, field: str, classes: list[str] | None) -> Source:
    names = folders.class_names(folder, field=field) if classes is None else classes
    found = folders.index(folder, names, field=field)
    paths = tf.constant(found.files)
    shape = (*data.image_size, data.channels)

    def decode(ids: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(
            lambda path: decode_file(path, data),
            tf.gather(paths, ids),
            parallel_iterations=16,
            fn_output_signature=tf.TensorSpec(shape, tf.uint8),
        )

    small = len(found.files) * int(np.prod(shape)) <= CACHE_BYTES
    return Source(
        labels=np.asarray(found.labels, np.int32),
        load=PixelCache(len(found.files), shape).wrap(decode) if small else decode,
        classes=names,
        files=found.files,
        field=field,
    )


def decode_file(path: tf.Tensor, data: Data) -> tf.Tensor:
    """Pixels of one PNG, JPEG, BMP or GIF file (first frame), uint8 (height, width, channels)."""
    image = tf.io.decode_image(tf.io.read_file(path), expand_animations=False)
    return _resized(_recoloured(image, data.channels), data)


def explain_unreadable(source: Source, data: Data, *, cause: Exception) -> None:
    """Looks for a file that cannot be decoded; returns where all can.

    Raises:
        ConfigurationError: naming the first such file.

    """
    for file in source.files:
        try:
            decode_file(tf.constant(file), data)
        except (tf.errors.InvalidArgumentError, tf.errors.NotFoundError) as error:
            reason = error.message.splitlines()[0]
            raise pictures.unreadable(file, field=source.field, reason=reason) from cause


def _recoloured(images: tf.Tensor, channels: int) -> tf.Tensor:
    """Drops transparency and converts between gray and RGB; any number of leading dimensions."""
    gray = tf.shape(images)[-1] < 3 if images.shape[-1] is None else images.shape[-1] < 3
    if channels == 1:
        return _either(
            gray,
            lambda: images[..., :1],
            lambda: tf.image.rgb_to_grayscale(images[..., :3]),
        )
    return _either(gray, lambda: tf.repeat(images[..., :1], 3, axis=-1), lambda: images[..., :3])


def _either(
    condition: tf.Tensor | bool,
    then: Callable[[], tf.Tensor],
    otherwise: Callable[[], tf.Tensor],
) -> tf.Tensor:
    if isinstance(condition, bool):
        return then() if condition else otherwise()
    return tf.cond(condition, then, otherwise)


def _resized(images: tf.Tensor, data: Data) -> tf.Tensor:
    """Pixels of the size that the recipe asks for, rounded to uint8."""
    images.set_shape(images.shape[:-1].concatenate(data.channels))
    resized = tf.image.resize(images, data.image_size, antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(resized), 0.0, 255.0), tf.uint8)


def _from_archive(
    images: Images, data: Data, *, volume: Path, field: str, classes: list[str] | None
) -> Source:
    path = volume / str(images.npz)
    labels = archives.read(path, images, field=field).labels
    names = archives.class_names(labels, known=classes, field=field)
    with np.load(path) as archive, tf.device("/cpu:0"):
        pixels = archive[images.images_key]
        pixels = tf.constant(pixels if pixels.ndim == 4 else pixels[..., None])
    return Source(
        labels=np.asarray(labels, np.int32),
        load=lambda ids: _resized(_recoloured(tf.gather(pixels, ids), data.channels), data),
        classes=names,
        files=[],
        field=field,
    )
