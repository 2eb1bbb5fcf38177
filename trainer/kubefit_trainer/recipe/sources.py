"""Labelled images by sample number: from class folders, a manifest, a pack or a NumPy archive.

Indexing decodes nothing; a picture is decoded when a batch asks for it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field as filled_with
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kubefit.api.recipe import Data, Images
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.images import colour
from kubefit_trainer.images.decode import Picture, UnreadableImageError, decode, halved
from kubefit_trainer.preflight import archives, folders, manifests, packs, pictures
from kubefit_trainer.recipe.cache import PictureCache

CACHE_BYTES = 512 * 2**20
"""Decoded images up to this size altogether are kept in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A set of labelled images."""

    labels: NDArray[np.int32]
    picture: Callable[[int], Picture]
    """The image of a sample; raises ConfigurationError where it cannot be read."""
    classes: list[str]
    splits: NDArray[np.int8] | None = None
    """Place of each sample's split in `manifests.SPLITS`, where it is given."""
    weights: NDArray[np.float32] | None = None
    """Weight of each sample in the loss, where it is given."""
    failures: list[ConfigurationError] = filled_with(default_factory=list)
    """Why batches could not be made; the text of TensorFlow's own error is not for people."""


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
    if images.folder is not None:
        folder = volume / images.folder
        return _from_folder(folder, data, size, field=f"{field}.folder", classes=classes)
    if images.manifest is not None:
        path = volume / images.manifest
        return _from_manifest(path, data, size, field=f"{field}.manifest", classes=classes)
    if images.packed is not None:
        folder = volume / images.packed
        return _from_pack(folder, data, size, field=f"{field}.packed", classes=classes)
    path = volume / str(images.npz)
    return _from_archive(path, images, data, size, field=f"{field}.npz", classes=classes)


def _from_folder(
    folder: Path, data: Data, needed: tuple[int, int], *, field: str, classes: list[str] | None
) -> Source:
    names = folders.class_names(folder, field=field) if classes is None else classes
    found = folders.index(folder, names, field=field)
    return Source(
        labels=np.asarray(found.labels, np.int32),
        picture=_stored(found.files, data, needed, field=field),
        classes=names,
    )


def _from_manifest(
    path: Path, data: Data, needed: tuple[int, int], *, field: str, classes: list[str] | None
) -> Source:
    listed = manifests.read(path, known=classes, field=field)
    return Source(
        labels=np.asarray(listed.labels, np.int32),
        picture=_stored(listed.files, data, needed, field=field),
        classes=listed.classes,
        splits=None if listed.splits is None else np.asarray(listed.splits),
        weights=None if listed.weights is None else np.asarray(listed.weights, np.float32),
    )


def _stored(
    files: folders.FileTable, data: Data, needed: tuple[int, int], *, field: str
) -> PictureCache:
    def read(sample: int) -> Picture:
        file = files[sample]
        with _named(file, field=field):
            return decode(Path(file).read_bytes(), channels=data.channels, needed=needed)

    return PictureCache(read, capacity=CACHE_BYTES)


def _from_pack(
    folder: Path, data: Data, needed: tuple[int, int], *, field: str, classes: list[str] | None
) -> Source:
    pack = packs.read(folder, field=field)
    labels = packs.relabelled(pack, known=classes, field=field)

    def read(sample: int) -> Picture:
        file, offset, _ = pack.locate(sample)
        with _named(f"at byte {offset} of {file}", field=field):
            return decode(pack.content(sample), channels=data.channels, needed=needed)

    return Source(
        labels=np.asarray(labels, np.int32),
        picture=PictureCache(read, capacity=CACHE_BYTES),
        classes=classes or pack.classes,
    )


@contextmanager
def _named(image: str, *, field: str) -> Iterator[None]:
    try:
        yield
    except (UnreadableImageError, OSError) as error:
        raise pictures.unreadable({image: str(error)}, field=field) from error


def _from_archive(
    path: Path,
    images: Images,
    data: Data,
    needed: tuple[int, int],
    *,
    field: str,
    classes: list[str] | None,
) -> Source:
    labels = archives.read(path, images, field=field).labels
    names = archives.class_names(labels, known=classes, field=field)
    with np.load(path) as archive:
        arrays = archive[images.images_key]

    def read(sample: int) -> Picture:
        pixels = colour.converted(np.atleast_3d(arrays[sample]), channels=data.channels)
        height, width = pixels.shape[:2]
        return halved(Picture(pixels, (height, width)), needed)

    return Source(labels=np.asarray(labels, np.int32), picture=read, classes=names)
