"""Images in class folders: lists names, decodes nothing."""

import os
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, overload

from kubefit_trainer.failure import ConfigurationError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")


class FileTable(Sequence[str]):
    """Paths of many files in little memory: their names in one buffer, each folder once."""

    def __init__(self) -> None:
        """No files yet."""
        self._names = bytearray()
        self._ends = array("Q", [0])
        self._folders: list[str] = []
        self._first: list[int] = []
        """Number of the first file of each folder."""

    def extend(self, folder: str, names: Iterable[str]) -> None:
        """Appends files of one folder, or by absolute paths."""
        self._folders.append(folder)
        self._first.append(len(self))
        for name in names:
            self._names += os.fsencode(name)
            self._ends.append(len(self._names))

    def __len__(self) -> int:
        """Number of files."""
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """The path of a file, or those of several."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        folder = self._folders[bisect_right(self._first, index) - 1]
        name = bytes(self._names[self._ends[index] : self._ends[index + 1]])
        return os.path.join(folder, os.fsdecode(name))  # noqa: PTH118 - a million paths are joined

    def name(self, sample: int) -> str:
        """The path of a file."""
        return self[sample]

    def size(self, sample: int) -> None:
        """Not known without a look at the image."""

    def open(self, sample: int) -> BinaryIO:
        """The file, at its beginning."""
        return Path(self[sample]).open("rb")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledFiles:
    """Files of all classes, class after class, each by name; `labels[i]` belongs to `files[i]`."""

    files: FileTable
    labels: "array[int]"


def class_names(folder: Path, *, field: str, kind: str = "images") -> list[str]:
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
            f"{field}: {folder} has no class folders; put the {kind} of each class into a"
            " sub-folder named like the class"
        )
    return names


def index(
    folder: Path,
    classes: list[str],
    *,
    field: str,
    suffixes: tuple[str, ...] = SUFFIXES,
    kind: str = "images",
) -> LabelledFiles:
    """All images below the class folders of `folder`, at any depth; label i means `classes[i]`.

    Other files than images are told apart by `suffixes`; `kind` is what people call them.

    Raises:
        ConfigurationError: a class folder is not among `classes`, or there are no images.

    """
    present = class_names(folder, field=field, kind=kind)
    unknown = sorted(set(present) - set(classes))
    if unknown:
        raise ConfigurationError(
            f"{field}: class folder {unknown[0]!r} of {folder} is not among the classes of the"
            f" training {kind}"
        )
    files, labels = FileTable(), array("i")
    places = {name: place for place, name in enumerate(classes)}
    for name in present:
        before = len(files)
        for inner, found in _named(str(folder / name), suffixes):
            files.extend(inner, found)
        labels.extend(array("i", [places[name]]) * (len(files) - before))
    if not files:
        raise ConfigurationError(
            f"{field}: {folder} has class folders but no {kind[:-1]} ({', '.join(suffixes)}) in"
            " them"
        )
    return LabelledFiles(files=files, labels=labels)


def _named(folder: str, suffixes: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    """The folder and those below it, each with its images, by name; no links to folders."""
    images, folders = [], []
    with os.scandir(folder) as entries:
        for e in entries:
            if e.name.startswith("."):
                continue
            if e.name.lower().endswith(suffixes) and e.is_file():
                images.append(e.name)
            elif e.is_dir(follow_symlinks=False):
                folders.append(e.path)
    yield folder, sorted(images)
    for inner in sorted(folders):
        yield from _named(inner, suffixes)
