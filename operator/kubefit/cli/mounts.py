"""Folders of this machine in place of `spec.volumes`, which only pods can mount."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from kubefit.api.errors import read_job
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.api.volumes import Volume, below
from kubefit.cli.errors import CommandError

MountOption = Annotated[
    list[str] | None,
    typer.Option(
        "--mount",
        metavar="NAME=DIR",
        help="Folder in place of the volume NAME of spec.volumes; may be given several times.",
    ),
]
_PLACES = ("recipe", "script", "initialWeights")
"""Parts of a specification that name files of the workers."""


def mounted(file: Path, job: TrainingJob, given: Sequence[str]) -> TrainingJob:
    """The job with its paths below the mount paths leading into the folders that were `given`.

    Raises:
        CommandError: a mount is not NAME=DIR, its DIR no folder or NAME not of `spec.volumes`.

    """
    volumes = {volume.name: volume for volume in job.spec.volumes}
    for text in given:
        name, separator, folder = text.partition("=")
        if not (name and separator and folder):
            raise CommandError(f"--mount: {text!r} is not NAME=DIR")
        if name not in volumes:
            known = ", ".join(volumes) or "none"
            raise CommandError(f"--mount: {name!r} is not a volume of {file}, which has {known}")
        if not Path(folder).is_dir():
            raise CommandError(f"--mount: {folder} is not a folder")
        job = _relocated(job, volumes[name].mount_path, str(Path(folder).absolute()))
    return job


def absent(job: TrainingJob) -> Volume | None:
    """The first volume whose files the job names by paths that this machine does not have."""
    for volume in job.spec.volumes:
        if not Path(volume.mount_path).is_dir() and names(job, volume.mount_path):
            return volume
    return None


def names(job: TrainingJob, folder: str) -> bool:
    """Whether a file that the job reads is named by a path in that folder, or the folder is."""
    found: list[str] = []

    def look(text: str) -> str:
        found.append(text)
        return text

    spec = job.spec.model_dump(mode="json", by_alias=True)
    for place in _PLACES:
        _each_text(spec[place], look)
    return any(below(text, folder) for text in found)


def _relocated(job: TrainingJob, mount_path: str, folder: str) -> TrainingJob:
    def moved(text: str) -> str:
        return folder + text.removeprefix(mount_path) if below(text, mount_path) else text

    document = job.model_dump(mode="json", by_alias=True, exclude_none=True)
    spec = document["spec"]
    spec |= {place: _each_text(spec[place], moved) for place in _PLACES if place in spec}
    return read_job(document)


def _each_text(node: Any, change: Callable[[str], str]) -> Any:
    if isinstance(node, str):
        return change(node)
    if isinstance(node, dict):
        return {key: _each_text(value, change) for key, value in node.items()}
    if isinstance(node, list):
        return [_each_text(value, change) for value in node]
    return node
