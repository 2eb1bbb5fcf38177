"""Images in class folders: lists names, decodes nothing."""

import os
from dataclasses import dataclass
from pathlib import Path

from kubefit_trainer.failure import ConfigurationError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledFiles:
    """Files of all classes, class after class, each by name; `labels[i]` belongs to `files[i]`."""

    files: list[str]
    labels: list[int]


def class_names(folder: Path, *, field: str) -> list[str]:
    """Names of the class folders in order; `field` is the path of the field that names `folder`.

    Raises:
        ConfigurationError: the folder is missing, is no folder, or has fewer than two classes.

    """
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise ConfigurationError(f"{field}: {folder} {what}")
    with os.scandir(folder) as entries:
        names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    if not names:
        raise ConfigurationError(
            f"{field}: {folder} has no class folders; put the images of each class into a"
            " sub-folder named like the class"
        )
    return names


def index(folder: Path, classes: list[str], *, field: str) -> LabelledFiles:
    """All images below the class folders of `folder`; label i means `classes[i]`.

    Raises:
        ConfigurationError: a class folder is not among `classes`, or there are no images.

    """
    present = class_names(folder, field=field)
    unknown = sorted(set(present) - set(classes))
    if unknown:
        raise ConfigurationError(
            f"{field}: class folder {unknown[0]!r} of {folder} is not among the classes of the"
            " training images"
        )
    files: list[str] = []
    labels: list[int] = []
    for name in present:
        found = sorted(_images(folder / name))
        files += found
        labels += [classes.index(name)] * len(found)
    if not files:
        raise ConfigurationError(
            f"{field}: {folder} has class folders but no image ({', '.join(SUFFIXES)}) in them"
        )
    return LabelledFiles(files=files, labels=labels)


def _images(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return [
            e.path
            for e in entries
            if e.name.lower().endswith(SUFFIXES) and not e.name.startswith(".") and e.is_file()
        ]
