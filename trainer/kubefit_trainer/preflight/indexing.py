"""One set of labelled images, wherever it lies: what each image is and where, nothing decoded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from kubefit.api.recipe import Images
from kubefit_trainer.preflight import archives, folders, manifests, packs


class Encoded(Protocol):
    """Encoded images by number."""

    def __len__(self) -> int:
        """Number of images."""

    def name(self, sample: int) -> str:
        """What people find the image by."""

    def open(self, sample: int) -> BinaryIO:
        """The image as a file, at its beginning; raises OSError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """A set of labelled images."""

    source: str
    """Field of `Images` that names it."""
    classes: list[str]
    labels: Sequence[int]
    """Place of each image's class among `classes`."""
    encoded: Encoded | None
    """None where images are arrays."""
    splits: Sequence[int] | None = None
    """Place of each image's split in `manifests.SPLITS`, where it is given."""
    weights: Sequence[float] | None = None
    """Weight of each image in the loss, where it is given."""


def index(images: Images, volume: Path, *, field: str, classes: list[str] | None) -> Indexed:
    """Reads names and labels; `classes` are those of the training images, absent for these.

    Relative paths are below `volume`; `field` is the path of the field that holds `images`.

    Raises:
        ConfigurationError: the images are missing or unusable.

    """
    if images.folder is not None:
        return _folder(volume / images.folder, field=f"{field}.folder", known=classes)
    if images.manifest is not None:
        listed = manifests.read(volume / images.manifest, known=classes, field=f"{field}.manifest")
        return Indexed(
            source="manifest",
            classes=listed.classes,
            labels=listed.labels,
            encoded=listed.files,
            splits=listed.splits,
            weights=listed.weights,
        )
    if images.packed is not None:
        pack = packs.read(volume / images.packed, field=f"{field}.packed")
        labels = packs.relabelled(pack, known=classes, field=f"{field}.packed")
        return Indexed(
            source="packed", classes=classes or pack.classes, labels=labels, encoded=pack
        )
    archive = archives.read(volume / str(images.npz), images, field=f"{field}.npz")
    names = archives.class_names(archive.labels, known=classes, field=f"{field}.npz")
    return Indexed(source="npz", classes=names, labels=archive.labels, encoded=None)


def _folder(folder: Path, *, field: str, known: list[str] | None) -> Indexed:
    names = folders.class_names(folder, field=field) if known is None else known
    found = folders.index(folder, names, field=field)
    return Indexed(source="folder", classes=names, labels=found.labels, encoded=found.files)
