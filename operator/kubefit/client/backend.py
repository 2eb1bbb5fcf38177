"""What a place where jobs run must be able to do; a cluster and this machine can."""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from kubefit.api.v1alpha1 import TrainingJob


class Backend(Protocol):
    """A place where jobs run.

    Every method that takes the name of a job raises `JobNotFoundError` where there is none, and
    each `ClientError` for what else goes wrong.
    """

    def submit(self, document: dict[str, Any], job: TrainingJob) -> str:
        """Starts the job, of which `document` is the text; returns its name."""

    def job(self, name: str) -> TrainingJob:
        """The job as it is now, with its status."""

    def jobs(self, labels: Mapping[str, str]) -> list[TrainingJob]:
        """All jobs that have these labels."""

    def resumable(self, job: TrainingJob) -> bool:
        """Whether a job that has failed goes on when it is submitted again."""

    def logs(self, name: str, *, rank: int | None, follow: bool) -> Iterator[tuple[int, str]]:
        """Lines of output with their ranks; with `follow` those to come, until the job ends."""

    def note(self, name: str, annotations: Mapping[str, str], *, suspend: bool = False) -> None:
        """Writes something down with the job, and takes its workers away where `suspend` says."""

    def delete(self, name: str) -> None:
        """Ends the job and forgets it; its results stay."""

    def volume_path(self, path: str) -> PurePosixPath:
        """Where workers find what lies on the volume at `path`, relative to its root."""

    def results(self, name: str) -> tuple[PurePosixPath, Path | None]:
        """The folder of the job as workers see it, and as this machine does, if it can."""

    def close(self) -> None:
        """Ends what must not go on without the caller."""
