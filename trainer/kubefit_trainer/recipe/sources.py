"""Labelled images by sample number, wherever they lie.

Indexing decodes nothing; a picture is decoded when a batch asks for it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from dataclasses import field as filled_with
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kubefit.api.recipe import Data, Images
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.images import colour
from kubefit_trainer.images.decode import Picture, UnreadableImageError, decode, halved
from kubefit_trainer.preflight import indexing
from kubefit_trainer.preflight.indexing import Encoded
from kubefit_trainer.preflight.pictures import UnreadableError
from kubefit_trainer.recipe.cache import PictureCache

CACHE_BYTES = 512 * 2**20
"""Decoded images up to this size altogether are kept in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A set of labelled images."""

    labels: NDArray[np.int32]
    picture: Callable[[int], Picture]
    """The image of a sample; raises UnreadableError where it cannot be read."""
    classes: list[str]
    splits: NDArray[np.int8] | None = None
    """Place of each sample's split in `manifests.SPLITS`, where it is given."""
    weights: NDArray[np.float32] | None = None
    """Weight of each sample in the loss, where it is given."""
    failures: list[ConfigurationError] = filled_with(default_factory=list)
    """Why batches could not be made; the text of TensorFlow's own error is not for people."""

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
    found = indexing.index(images, volume, field=field, classes=classes)
    if found.encoded is not None:
        picture = _decoded(found.encoded, data, size, field=f"{field}.{found.source}")
    else:
        picture = _of_array(volume / str(images.npz), images.images_key, data, size)
    return Source(
        labels=np.asarray(found.labels, np.int32),
        picture=picture,
        classes=found.classes,
        splits=None if found.splits is None else np.asarray(found.splits, np.int8),
        weights=None if found.weights is None else np.asarray(found.weights, np.float32),
    )


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

    return PictureCache(read, capacity=CACHE_BYTES)


def _of_array(
    path: Path, key: str, data: Data, needed: tuple[int, int]
) -> Callable[[int], Picture]:
    with np.load(path) as archive:
        arrays = archive[key]

    def read(sample: int) -> Picture:
        pixels = colour.converted(np.atleast_3d(arrays[sample]), channels=data.channels)
        height, width = pixels.shape[:2]
        return halved(Picture(pixels, (height, width)), needed)

    return read
