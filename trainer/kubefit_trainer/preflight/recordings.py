"""Labelled recordings in class folders or listed in a CSV file: what each is, none opened."""

from dataclasses import dataclass
from pathlib import Path

from kubefit.api.recipe import Images, LabelKind, Recordings
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import folders, manifests
from kubefit_trainer.preflight.folders import FileTable
from kubefit_trainer.preflight.labels import Labels

KIND = "recordings"
SUFFIXES = (".wav", ".flac")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """Recordings by number."""

    files: FileTable
    labels: Labels


def index(recordings: Recordings, volume: Path, *, field: str, known: list[str] | None) -> Listed:
    """Reads names and labels; `known` are the classes of the training recordings.

    `field` is the path of the field that tells where the recordings lie.

    Raises:
        ConfigurationError: there are none, or their list cannot be used.

    """
    path = volume / recordings.paths[0]
    if recordings.folder is not None:
        names = known or folders.class_names(path, field=field, kind=KIND)
        found = folders.index(path, names, field=field, suffixes=SUFFIXES, kind=KIND)
        return Listed(files=found.files, labels=Labels(names=names, classes=found.labels))
    images, kind = Images(manifest=recordings.manifest), LabelKind.SINGLE_LABEL
    listed = manifests.read(path, images, kind, known=known, field=field, what=KIND)
    for given, column in ((listed.splits, "split"), (listed.weights, "weight")):
        if given is not None:
            raise ConfigurationError(
                f"{field}: {path} has a column {column!r}, which is for images only; take it out"
            )
    return Listed(files=listed.files, labels=listed.labels)
