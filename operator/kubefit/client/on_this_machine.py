"""Jobs as processes of this machine, in the background: the agents of `kubefit run`.

They end with the client that started them, or with its process, however that ends.
"""

import contextlib
import shutil
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from kubefit.api.contract import EXIT_MEANINGS, ExitCode, JobFiles, WorkerStatus
from kubefit.api.log_lines import as_text
from kubefit.api.names import Phase
from kubefit.api.v1alpha1 import FailureStatus, TrainingJob, TrainingJobStatus
from kubefit.client import local_status
from kubefit.client.errors import ClientError, JobOverError
from kubefit.client.gang import GRACE_SECONDS
from kubefit.client.local import (
    LocalRunError,
    check_trainer,
    forget_result,
    result_in,
    run_local,
    unwritable,
)
from kubefit.client.local_record import LocalRecord
from kubefit.client.refusals import JobNotFoundError

_POLL_SECONDS = 0.2
_INTERRUPTED = "the run was interrupted; submitting the job again goes on from its checkpoints"


@dataclass(slots=True)
class _Run:
    """A job that runs, or has run, in this process."""

    job: TrainingJob
    stop: threading.Event = field(default_factory=threading.Event)
    statuses: list[WorkerStatus] = field(default_factory=list)
    fault: str = ""
    """Why it could not even begin, or broke off."""
    thread: threading.Thread | None = None


class OnThisMachine:
    """A folder of runs; a `Backend`."""

    def __init__(self, *, runs_dir: Path, volume_dir: Path) -> None:
        """Paths of jobs are below `volume_dir`; each has a folder of its name in `runs_dir`."""
        self._runs_dir = runs_dir.absolute()
        self._volume_dir = volume_dir.absolute()
        self._runs: dict[str, _Run] = {}
        self._end = weakref.finalize(self, _stop_all, self._runs)

    def submit(self, document: dict[str, Any], job: TrainingJob) -> str:
        """Starts the workers and returns at once; one that was interrupted goes on.

        Raises:
            LocalRunError: this machine cannot run the job.
            JobOverError: a job of that name has ended, or runs.

        """
        name = job.metadata.name
        check_trainer(job)
        _check_volumes(job)
        record = self._record(name)
        try:
            lock = record.hold()
            try:
                self._begin(job, record)
            except BaseException:
                lock.close()
                raise
        except OSError as error:
            raise unwritable(error) from error
        run = _Run(_going_on(job))
        run.thread = threading.Thread(
            target=_run, args=(run, lock, self._volume_dir, self._runs_dir), daemon=True
        )
        self._runs[name] = run
        run.thread.start()
        return name

    def job(self, name: str) -> TrainingJob:
        """The job with the status that an operator would give it."""
        record = self._record(name)
        if not record.exists:
            raise JobNotFoundError(f"there is no job {name} in {self._runs_dir}")
        job = record.job()
        return job.model_copy(update={"status": self._status(name, job, record)})

    def jobs(self, labels: Mapping[str, str]) -> list[TrainingJob]:
        """Those of the folder, by name, whichever process has run them."""
        folders = sorted(self._runs_dir.glob("*/job.json"))
        found = [self.job(file.parent.name) for file in folders]
        return [job for job in found if labels.items() <= job.metadata.labels.items()]

    def resumable(self, job: TrainingJob) -> bool:
        """Whether it was interrupted with the client that ran it."""
        return _interrupted(job.status)

    def logs(self, name: str, *, rank: int | None, follow: bool) -> Iterator[tuple[int, str]]:
        """From the files of all attempts, one worker after the other; followed, as they come."""
        record = self._record(name)
        job = self.job(name)
        read: dict[Path, int] = {}
        while True:
            alive = follow and record.locked
            for attempt in record.attempts():
                ranks = range(job.spec.workers) if rank is None else [rank]
                for one in ranks:
                    file = Path(JobFiles(PurePosixPath(record.folder)).log(attempt, one))
                    if attempt >= record.first_attempt:
                        yield from ((one, line) for line in _new_lines(file, read, whole=alive))
            if not alive:
                return
            time.sleep(_POLL_SECONDS)

    def note(self, name: str, annotations: Mapping[str, str], *, suspend: bool = False) -> None:
        """Writes the job's file anew; with `suspend` its workers end first."""
        job, record = self.job(name), self._record(name)
        metadata = job.metadata.model_copy(
            update={"annotations": {**job.metadata.annotations, **annotations}}
        )
        spec = job.spec
        if suspend:
            self._stop(name)
            policy = spec.run_policy.model_copy(update={"suspend": True})
            spec = spec.model_copy(update={"run_policy": policy})
        changed = job.model_copy(update={"metadata": metadata, "spec": spec})
        record.write(changed, first_attempt=record.first_attempt)

    def delete(self, name: str) -> None:
        """Ends the workers; the folder stays, for what was trained."""
        self.job(name)
        self._stop(name)
        self._runs.pop(name, None)
        self._record(name).forget()

    def volume_path(self, path: str) -> PurePosixPath:
        """Below the folder in place of the volume."""
        return PurePosixPath(self._volume_dir) / path

    def results(self, name: str) -> tuple[PurePosixPath, Path | None]:
        """The folder of the job."""
        folder = self._record(name).folder
        return PurePosixPath(folder), folder

    def close(self) -> None:
        """Ends all workers that this client has started."""
        _stop_all(self._runs)

    def _record(self, name: str) -> LocalRecord:
        return LocalRecord(self._runs_dir / name)

    def _begin(self, job: TrainingJob, record: LocalRecord) -> None:
        """Writes down that the job begins, or goes on; its lock is held, so that this stays so."""
        name = job.metadata.name
        first = record.next_attempt()
        if record.exists:
            first = record.first_attempt
            _check_not_over(name, self._at_rest(name, record.job(), record))
        elif not job.spec.checkpoint.resume:
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(record.folder / "checkpoints")
        forget_result(record.folder)
        record.write(job, first_attempt=first)

    def _stop(self, name: str) -> None:
        """Ends the workers.

        Raises:
            ClientError: they are another process's, or do not end.

        """
        run = self._runs.get(name)
        if run is not None:
            _stop_all({name: run})
        if self._record(name).locked:
            raise ClientError(
                f"job {name} goes on: another process runs it, or its workers have not ended yet",
                hint="end the process that has started it, then ask again",
            )

    def _status(self, name: str, job: TrainingJob, record: LocalRecord) -> TrainingJobStatus:
        if record.locked:
            run = self._runs.get(name)
            return local_status.running(job, run.statuses if run else [])
        return self._at_rest(name, job, record)

    def _at_rest(self, name: str, job: TrainingJob, record: LocalRecord) -> TrainingJobStatus:
        """Of a job that does not run."""
        run = self._runs.get(name)
        statuses = run.statuses if run else []
        if run is not None and run.fault:
            return local_status.failed(job, _failure(ExitCode.CONFIGURATION_ERROR, run.fault))
        result = result_in(record.folder / "result.json")
        suspended = job.spec.run_policy.suspend
        if result is None:
            if suspended:
                return TrainingJobStatus(phase=Phase.SUSPENDED, workers=job.spec.workers)
            return local_status.failed(job, _failure(ExitCode.PREEMPTED, _INTERRUPTED))
        interrupted = result.failure and result.failure.exit_code == ExitCode.PREEMPTED
        return local_status.ended(job, result, statuses, suspended=bool(suspended and interrupted))


def _interrupted(status: TrainingJobStatus) -> bool:
    """Whether the job has failed only because whoever ran it ended."""
    failure = status.failure
    return failure is not None and failure.exit_code == ExitCode.PREEMPTED


def _going_on(job: TrainingJob) -> TrainingJob:
    """The job as it is run: what lies in its folder is its own now, and it goes on from that."""
    checkpoint = job.spec.checkpoint.model_copy(update={"resume": True})
    return job.model_copy(update={"spec": job.spec.model_copy(update={"checkpoint": checkpoint})})


def _run(run: _Run, lock: IO[str], volume_dir: Path, runs_dir: Path) -> None:
    """The thread of one job; knows nothing of the client, so that that can go."""

    def listen(statuses: list[WorkerStatus]) -> None:
        run.statuses = statuses

    try:
        _fetch(run.job, volume_dir)
        run_local(
            run.job, volume_dir=volume_dir, runs_dir=runs_dir, on_status=listen, stop=run.stop
        )
    except (ClientError, OSError) as error:
        run.fault = str(error)
    except Exception as error:
        run.fault = f"the run broke off: {type(error).__name__}: {error}"
    finally:
        lock.close()


def _fetch(job: TrainingJob, volume: Path) -> None:
    if not job.spec.fetch:
        return
    from kubefit_trainer.fetch import FetchError, carry_out

    try:
        carry_out(job.spec.fetch, volume=volume, tell=lambda text: None, secrets=None)
    except FetchError as error:
        raise LocalRunError(str(error)) from error


def _stop_all(runs: dict[str, _Run]) -> None:
    for run in runs.values():
        run.stop.set()
    deadline = time.monotonic() + 2 * GRACE_SECONDS
    for run in runs.values():
        if run.thread is not None:
            run.thread.join(timeout=max(0.0, deadline - time.monotonic()))


def _check_volumes(job: TrainingJob) -> None:
    for number, volume in enumerate(job.spec.volumes):
        if not Path(volume.mount_path).is_dir():
            raise LocalRunError(
                f"spec.volumes[{number}].mountPath: there is no {volume.mount_path} on this"
                " machine; make a folder of that name, or give paths on this machine and no volumes"
            )


def _check_not_over(name: str, status: TrainingJobStatus) -> None:
    if status.phase is Phase.SUCCEEDED or (
        status.phase is Phase.FAILED and not _interrupted(status)
    ):
        raise JobOverError(
            f"job {name} is over ({status.phase}) and does not run again",
            hint="delete it, or give the job another name",
        )


def _failure(code: ExitCode, message: str) -> FailureStatus:
    return FailureStatus(reason=EXIT_MEANINGS[code].reason, message=message, exit_code=code)


def _new_lines(file: Path, read: dict[Path, int], *, whole: bool) -> Iterator[str]:
    """Lines that were not read yet; with `whole` not one that may still be under way."""
    try:
        with file.open("rb") as stream:
            stream.seek(read.get(file, 0))
            content = stream.read()
    except FileNotFoundError:
        return
    if whole:
        content = content[: content.rfind(b"\n") + 1]
    read[file] = read.get(file, 0) + len(content)
    for line in content.decode(errors="replace").splitlines():
        yield as_text(line)
