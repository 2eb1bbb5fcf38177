"""Labelled images by sample number, wherever they lie.

Indexing decodes nothing; a picture is decoded when a batch asks for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kubefit.api.recipe import Data, Images
from kubefit_trainer.images import colour
from kubefit_trainer.images.decode import Picture, UnreadableImageError, decode, halved
from kubefit_trainer.preflight import indexing
from kubefit_trainer.preflight.indexing import Encoded
from kubefit_trainer.preflight.labels import Labels
from kubefit_trainer.preflight.pictures import UnreadableError
from kubefit_trainer.recipe.cache import PictureCache, cached
from kubefit_trainer.recipe.labelled import Labelled


def _numbered(sample: int) -> str:
    return f"image {sample}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Labelled):
    """A set of labelled images."""

    picture: Callable[[int], Picture]
    """The image of a sample; raises UnreadableError where it cannot be read."""
    name: Callable[[int], str] = _numbered
    """What people find the image of a sample by."""
    cache: PictureCache | None = None
    """What keeps decoded images, where they are kept."""

    def look(self, sample: int) -> None:
        """Decodes the image of a sample."""
        self.picture(sample)

    def _own(self, samples: NDArray[np.int64]) -> dict[str, Any]:
        numbers, picture = samples.tolist(), self.picture
        return {"picture": lambda sample: picture(numbers[sample])}


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
        name=_numbered if found.encoded is None else found.encoded.name,
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
                content = file.read()
            size = encoded.size(sample)
            return decode(content, channels=data.channels, needed=needed, size=size)
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
