"""One set of labelled images, wherever it lies: what each image is and where, nothing decoded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from kubefit.api.recipe import SOURCES, Images, LabelKind
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import archives, examples, folders, manifests, packs
from kubefit_trainer.preflight.labels import Labels


class Encoded(Protocol):
    """Encoded images by number."""

    def __len__(self) -> int:
        """Number of images."""

    def name(self, sample: int) -> str:
        """What people find the image by."""

    def open(self, sample: int) -> BinaryIO:
        """The image as a file, at its beginning; raises OSError."""

    def size(self, sample: int) -> tuple[int, int] | None:
        """Height and width as they are stored, where they are known without a look at the image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """A set of labelled images."""

    labels: Labels
    encoded: Encoded | None
    """None where images are arrays."""
    splits: Sequence[int] | None = None
    """Place of each image's split in `manifests.SPLITS`, where it is given."""
    weights: Sequence[float] | None = None
    """Weight of each image in the loss, where it is given."""


def field_of(images: Images, parent: str) -> str:
    """Path of the field that tells where the images lie; `parent` is that of `images`."""
    source = next(source for source in SOURCES if getattr(images, source) is not None)
    return f"{parent}.{source}"


def index(
    images: Images, kind: LabelKind, volume: Path, *, field: str, known: list[str] | None
) -> Indexed:
    """Reads names and labels; `known` are the classes of the training images, absent for these.

    Relative paths are below `volume`; `field` is the path of the field that tells where they lie.

    Raises:
        ConfigurationError: the images are missing or unusable.

    """
    if images.folder is not None:
        return _folder(volume / images.folder, field=field, known=known)
    if images.manifest is not None:
        listed = manifests.read(volume / images.manifest, images, kind, known=known, field=field)
        return Indexed(
            labels=listed.labels,
            encoded=listed.files,
            splits=listed.splits,
            weights=listed.weights,
        )
    if images.packed is not None:
        return _pack(volume / images.packed, kind, field=field, known=known)
    if images.tfrecord is not None:
        labels, found = examples.of_files(images.tfrecord, kind, volume, known=known, field=field)
        return Indexed(labels=labels, encoded=found)
    if images.tfds is not None:
        labels, found = examples.of_tfds(images.tfds, kind, volume, known=known, field=field)
        return Indexed(labels=labels, encoded=found)
    if images.npy is not None:
        arrays = archives.read_pair(images.npy, volume, kind, known=known, field=field)
    else:
        arrays = archives.read(volume / str(images.npz), images, kind, known=known, field=field)
    return Indexed(labels=arrays.labels, encoded=None)


def _pack(folder: Path, kind: LabelKind, *, field: str, known: list[str] | None) -> Indexed:
    pack = packs.read(folder, field=field)
    if pack.kind is not kind:
        raise ConfigurationError(
            f"{field}: {folder} was packed with labels {pack.kind}, not {kind}; set"
            " spec.recipe.data.labels to that, or pack anew with --labels"
        )
    labels = pack.labels(known=known, field=field)
    return Indexed(labels=labels, encoded=pack, splits=pack.splits, weights=pack.weights)


def _folder(folder: Path, *, field: str, known: list[str] | None) -> Indexed:
    names = folders.class_names(folder, field=field) if known is None else known
    found = folders.index(folder, names, field=field)
    return Indexed(labels=Labels(names=names, classes=found.labels), encoded=found.files)
