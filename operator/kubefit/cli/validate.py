"""`kubefit validate FILE`: says what is wrong before anything is started or sent."""

from pathlib import Path
from typing import Annotated

import typer

from kubefit.api.v1alpha1 import Runtime, TrainingJob
from kubefit.cli import checks, manifest, mounts, screen
from kubefit.cli.errors import CommandError
from kubefit.cli.mounts import MountOption

RuntimeOption = Annotated[
    Runtime | None, typer.Option(help="Keras 3 (keras) or Keras 2 (tf-keras) for a program.")
]


def validate(
    file: Annotated[Path, typer.Argument(help="Manifest of a TrainingJob, or a Python program.")],
    runtime: RuntimeOption = None,
    volume: Annotated[
        Path | None,
        typer.Option(help="Folder with the content of the job's volume; its data are checked too."),
    ] = None,
    mount: MountOption = None,
) -> None:
    """Check a file: schema, script, and with --volume the data."""
    job = mounts.mounted(file, manifest.load(file, runtime=runtime, args=[]), mount or ())
    left_out = check(file, job, volume=volume)
    screen.out(f"{file}: {job.metadata.name} is a valid TrainingJob ({summary(job)})")
    if left_out:
        screen.out(left_out)


def check(
    file: Path, job: TrainingJob, *, volume: Path | None, runs_dir: Path | None = None
) -> str:
    """Checks script, data and weights; returns what was left out.

    Jobs have their folders in `runs_dir`, else on the volume as on a cluster.

    Raises:
        CommandError: on the first fault.

    """
    if volume is not None and not volume.is_dir():
        raise CommandError(f"--volume: {volume} is not a folder")
    checked = checks.check(job, volume=volume, runs_dir=runs_dir)
    if checked.faults:
        raise CommandError(*(f"{file}: {fault}" for fault in checked.faults))
    return checked.left_out


def summary(job: TrainingJob) -> str:
    """`recipe, 2 workers`."""
    workers, script = job.spec.workers, job.spec.script
    kind = "script" if script else "recipe"
    if script and script.runtime is not Runtime.KERAS:
        kind = f"{kind} on {script.runtime}"
    return f"{kind}, {workers} worker{'s' if workers != 1 else ''}"
