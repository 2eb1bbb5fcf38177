"""What is kept of a job of this machine beside its results: what it is, and that it runs."""

import fcntl
import json
import time
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from kubefit.api.errors import read_job
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.errors import JobRunsError
from kubefit.client.local import LocalRunError, unwritable

_JOB, _LOCK = "job.json", "job.lock"
_LOOK_SECONDS = 0.5
"""Whoever only looks whether a job runs shares its lock for a moment."""


class LocalRecord:
    """The folder of one job; `job.json` has the job, as it would be on a cluster."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def exists(self) -> bool:
        """Whether a job was given here, and not deleted since."""
        return (self.folder / _JOB).exists()

    @property
    def first_attempt(self) -> int:
        """Number of the first attempt of this job; attempts before were of another one."""
        found = self._read().get("firstAttempt")
        return found if isinstance(found, int) else 1

    def job(self) -> TrainingJob:
        """The job, without a status.

        Raises:
            LocalRunError: the file is not of this version.

        """
        try:
            return read_job(self._read().get("job"))
        except ValidationError as error:
            raise LocalRunError(
                f"{self.folder / _JOB} has no job of this version of KubeFit; remove it to begin"
                " anew"
            ) from error

    def write(self, job: TrainingJob, *, first_attempt: int) -> None:
        """Replaces the file as a whole."""
        document = job.model_dump(
            mode="json", by_alias=True, exclude_none=True, exclude_unset=True, exclude={"status"}
        )
        named = {"apiVersion": job.api_version, "kind": job.kind, **document}
        self.folder.mkdir(parents=True, exist_ok=True)
        beside = self.folder / f".{_JOB}"
        beside.write_text(
            json.dumps({"firstAttempt": first_attempt, "job": named}, indent=2) + "\n"
        )
        beside.replace(self.folder / _JOB)

    def forget(self) -> None:
        """The job is none any more; its results stay."""
        (self.folder / _JOB).unlink(missing_ok=True)

    def next_attempt(self) -> int:
        """Number that the next attempt in this folder gets."""
        return 1 + max(self.attempts(), default=0)

    def attempts(self) -> list[int]:
        """Numbers of the attempts that have logs, in order."""
        names = [path.name.removeprefix("attempt-") for path in self.folder.glob("logs/attempt-*")]
        return sorted(int(name) for name in names if name.isdecimal())

    def hold(self) -> IO[str]:
        """A file to hold open while the job runs.

        Raises:
            JobRunsError: another process, or another client of this one, runs it.
            LocalRunError: the folder cannot be written.

        """
        try:
            lock = self.lock()
        except OSError as error:
            raise unwritable(error) from error
        if lock is None:
            raise JobRunsError(
                f"job {self.folder.name} runs already",
                hint="wait for its end, delete it, or take another name",
            )
        return lock

    def lock(self) -> IO[str] | None:
        """A file to hold open while the job runs; None while another process holds it.

        The lock goes with the process, however that ends.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        return self._locked(fcntl.LOCK_EX, time.monotonic() + _LOOK_SECONDS)

    @property
    def locked(self) -> bool:
        """Whether any process runs the job."""
        if not (self.folder / _LOCK).exists():
            return False
        held = self._locked(fcntl.LOCK_SH, time.monotonic())
        if held is not None:
            held.close()
        return held is None

    def _locked(self, kind: int, deadline: float) -> IO[str] | None:
        file = (self.folder / _LOCK).open("w")
        while True:
            try:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    file.close()
                    return None
                time.sleep(_LOOK_SECONDS / 10)
            else:
                return file

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads((self.folder / _JOB).read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
