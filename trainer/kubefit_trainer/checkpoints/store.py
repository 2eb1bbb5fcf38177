"""Files of snapshots: whole or not there at all, checksummed, the newest good one first.

A snapshot is a zip file without compression, so that NumPy can open it and every member carries a
checksum (CRC-32). Standard library only: the agent uses this too.
"""

import contextlib
import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

META = "meta.json"
FORMAT = 2
_NAME = re.compile(r"(?:step|end-m(?P<model>\d+))-(?P<step>\d{10})\.npz")
_CHUNK = 1 << 20

Write = Callable[[IO[bytes]], object]


@dataclass(frozen=True, slots=True, order=True)
class Saved:
    """A file that, by its name, is a snapshot."""

    step: int
    """Steps done in all epochs together."""
    model: int
    """Number of the model whose training has ended with it; -1 in the midst of training."""
    path: Path


def name_of(step: int, *, ended_model: int | None = None) -> str:
    """The name of a snapshot; that of the end of a model's training is another."""
    return f"step-{step:010d}.npz" if ended_model is None else f"end-m{ended_model}-{step:010d}.npz"


def found(folder: Path) -> list[Saved]:
    """The snapshots of a folder, newest first; at the same step an end comes first."""
    try:
        paths = list(folder.iterdir())
    except OSError:
        return []
    return sorted((saved for path in paths if (saved := parse(path))), reverse=True)


def parse(path: Path) -> Saved | None:
    """What the name of a file says; None if it is not that of a snapshot."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    return Saved(int(match["step"]), int(match["model"] or -1), path)


def write(path: Path, meta: Mapping[str, Any], members: Mapping[str, Write]) -> None:
    """Writes a snapshot under its name once it is whole and on the disk.

    `members` are names and what writes their bytes.

    Raises:
        OSError: the folder cannot be written, or is full.

    """
    with _replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(META, json.dumps({**meta, "format": FORMAT}))
        for name, put in members.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                put(member)


def persist(path: Path, folder: Path) -> Path:
    """Copies a snapshot into another folder, whole or not at all; returns the copy.

    Raises:
        OSError: the folder cannot be written, or is full.

    """
    copy = folder / path.name
    with path.open("rb") as source, _replacing(copy) as target:
        shutil.copyfileobj(source, target, _CHUNK)
    return copy


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".partial-{path.name}.{os.getpid()}")
    try:
        with new.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Makes the new name outlive the machine, where the file system has such a thing."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def meta_of(path: Path) -> dict[str, Any]:
    """What a snapshot says of itself.

    Raises:
        DamagedError: it cannot be read.

    """
    with damage_explained(path), zipfile.ZipFile(path) as archive:
        meta: dict[str, Any] = json.loads(archive.read(META))
    if meta.get("format") != FORMAT:
        raise DamagedError(
            f"{path} has format {meta.get('format')}, and this KubeFit reads format {FORMAT}"
        )
    return meta


def verify(path: Path) -> None:
    """Reads all of a snapshot and compares its checksums.

    Raises:
        DamagedError: it is not as it was written.

    """
    meta_of(path)
    with damage_explained(path), zipfile.ZipFile(path) as archive:
        bad = archive.testzip()
    if bad is not None:
        raise DamagedError(f"{path} is damaged: {bad} has another checksum")


class DamagedError(Exception):
    """A snapshot that cannot be used; one sentence that names the file."""


@contextlib.contextmanager
def damage_explained(path: Path) -> Iterator[None]:
    """Tells what a file is that cannot be read as a snapshot, whatever reading it raises."""
    try:
        yield
    except (OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError, EOFError) as error:
        raise DamagedError(f"{path} is damaged or cannot be read: {error}") from error


def newest(folder: Path, *, warn: Callable[[str], None]) -> Saved | None:
    """The newest snapshot that is as it was written; `warn` is told of every other before it.

    Those are set aside, so that none that is written from now on gives way to them.
    """
    for saved in found(folder):
        try:
            verify(saved.path)
        except DamagedError as error:
            warn(f"{error}; {_set_aside(saved.path)}the next older snapshot is used")
        else:
            return saved
    return None


def _set_aside(path: Path) -> str:
    aside = path.with_name(f"{path.name}.unreadable")
    try:
        path.rename(aside)
    except OSError:
        return ""
    return f"it is kept as {aside.name}, and "


def prune(folder: Path, *, keep: int) -> None:
    """Removes all but the newest `keep` snapshots, and the newest end of every model."""
    all_found = found(folder)
    middle = [saved for saved in all_found if saved.model < 0]
    ends: dict[int, Saved] = {}
    for saved in all_found:
        if saved.model >= 0:
            ends.setdefault(saved.model, saved)
    kept = {*middle[:keep], *ends.values()}
    for saved in all_found:
        if saved not in kept:
            with contextlib.suppress(OSError):
                saved.path.unlink()
    for left in folder.glob(".partial-*"):
        if left.name.endswith(f".{os.getpid()}"):
            continue
        with contextlib.suppress(OSError):
            left.unlink()
