"""`spec.fetch` on this machine: the same code as in the pods, onto the folder given as volume."""

from pathlib import Path

from kubefit.api.v1alpha1 import TrainingJob
from kubefit.cli import mounts, screen
from kubefit.cli.errors import CommandError


def fetch(file: Path, job: TrainingJob, *, volume: Path) -> None:
    """Brings everything onto `volume`, with the credentials that this machine has.

    Raises:
        CommandError: something cannot be had.

    """
    if not job.spec.fetch:
        return
    from kubefit_trainer.fetch import FetchError, carry_out

    try:
        carry_out(job.spec.fetch, volume=volume.absolute(), tell=screen.note, secrets=None)
    except FetchError as error:
        raise CommandError(f"{file}: {error}") from error


def not_fetched(job: TrainingJob, *, volume: Path | None) -> str:
    """The first place that the job names and that is still to be fetched; '' if there is none."""
    for wanted in job.spec.fetch:
        there = volume is not None and (volume / wanted.to).exists()
        if not there and mounts.names(job, wanted.to):
            return wanted.to
    return ""
