"""Labelled images by sample number, wherever they lie.

Indexing decodes nothing; a picture is decoded when a batch asks for it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from dataclasses import field as filled_with
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kubefit.api.recipe import Data, Images
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.images import colour
from kubefit_trainer.images.decode import Picture, UnreadableImageError, decode, halved
from kubefit_trainer.preflight import indexing
from kubefit_trainer.preflight.indexing import Encoded
from kubefit_trainer.preflight.labels import Labels
from kubefit_trainer.preflight.pictures import UnreadableError
from kubefit_trainer.recipe.cache import PictureCache, cached


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A set of labelled images."""

    labels: NDArray[Any]
    """Class numbers (images,), or else one number for each of `classes`: (images, classes)."""
    picture: Callable[[int], Picture]
    """The image of a sample; raises UnreadableError where it cannot be read."""
    classes: list[str]
    """Names of the classes, or of the numbers that are to be predicted."""
    splits: NDArray[np.int8] | None = None
    """Place of each sample's split in `manifests.SPLITS`, where it is given."""
    weights: NDArray[np.float32] | None = None
    """Weight of each sample in the loss, where it is given."""
    cache: PictureCache | None = None
    """What keeps decoded images, where they are kept."""
    failures: list[ConfigurationError] = filled_with(default_factory=list)
    """Why batches could not be made; the text of TensorFlow's own error is not for people."""

    @property
    def strata(self) -> NDArray[np.int32]:
        """Of which splits hold out shares alike: the classes, or the same of all images."""
        return self.labels if self.labels.ndim == 1 else np.zeros(len(self.labels), np.int32)

    def only(self, samples: NDArray[np.int64]) -> "Source":
        """A source of these samples alone, counted from 0."""
        numbers, picture = samples.tolist(), self.picture
        return replace(
            self,
            labels=self.labels[samples],
            picture=lambda sample: picture(numbers[sample]),
            splits=None if self.splits is None else self.splits[samples],
            weights=None if self.weights is None else self.weights[samples],
        )


def open_source(
    images: Images,
    data: Data,
    *,
    volume: Path,
    field: str,
    classes: list[str] | None = None,
    needed: tuple[int, int] | None = None,
) -> Source:
    """Indexes a set of images.

    `classes` are those of the training set, absent for that set itself; `needed` is the height and
    width that pictures keep, by default those of the recipe.

    Raises:
        ConfigurationError: the images are missing or unusable.

    """
    size = needed or (data.image_size[0], data.image_size[1])
    field = indexing.field_of(images, field)
    found = indexing.index(images, data.labels, volume, field=field, known=classes)
    if found.encoded is not None:
        picture = cached(_decoded(found.encoded, data, size, field=field), data.cache, field=field)
    else:
        picture = _of_array(_array(images, volume), data, size)
    return Source(
        labels=_labels(found.labels),
        picture=picture,
        cache=picture if isinstance(picture, PictureCache) else None,
        classes=found.labels.names,
        splits=None if found.splits is None else np.asarray(found.splits, np.int8),
        weights=None if found.weights is None else np.asarray(found.weights, np.float32),
    )


def _labels(labels: Labels) -> NDArray[Any]:
    if labels.rows is None:
        return np.asarray(labels.classes, np.int32)
    return np.asarray(labels.rows).reshape(-1, len(labels.names))


def _decoded(
    encoded: Encoded, data: Data, needed: tuple[int, int], *, field: str
) -> Callable[[int], Picture]:
    def read(sample: int) -> Picture:
        try:
            with encoded.open(sample) as file:
                return decode(file.read(), channels=data.channels, needed=needed)
        except (UnreadableImageError, OSError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise UnreadableError({encoded.name(sample): why}, field=field) from error

    return read


def _array(images: Images, volume: Path) -> NDArray[np.uint8]:
    """Images of an archive in memory, or those of a file of their own, which stay there."""
    if images.npy is not None:
        mapped: NDArray[np.uint8] = np.load(volume / images.npy.images, mmap_mode="r")
        return mapped
    with np.load(volume / str(images.npz)) as archive:
        array: NDArray[np.uint8] = archive[images.images_key]
        return array


def _of_array(
    arrays: NDArray[np.uint8], data: Data, needed: tuple[int, int]
) -> Callable[[int], Picture]:
    def read(sample: int) -> Picture:
        pixels = colour.converted(np.atleast_3d(arrays[sample]), channels=data.channels)
        height, width = pixels.shape[:2]
        return halved(Picture(pixels, (height, width)), needed)

    return read
