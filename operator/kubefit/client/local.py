"""Runs a TrainingJob on this machine: N agents as processes, the same agent and trainer as in pods.

Restarts the whole gang as the operator would, and keeps the first cause of a failure.
"""

import contextlib
import importlib.util
import math
import os
import queue
import shutil
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from kubefit.api.contract import (
    Cause,
    ExitCode,
    JobFiles,
    Outcome,
    Result,
    RunConfig,
    WorkerStatus,
    is_permanent,
)
from kubefit.api.names import Phase
from kubefit.api.v1alpha1 import Runtime, TrainingJob
from kubefit.client.causes import cause_of, chief_of, first_cause
from kubefit.client.errors import ClientError
from kubefit.client.gang import GRACE_SECONDS, HOST, Gang, free_ports

_POLL_SECONDS = 0.3
_SETTLE_SECONDS = 3.0
"""How long the other workers may go on by themselves after one has failed."""
_PEER_LOST_SETTLE_SECONDS = 20.0
"""The same while only losses of peers are known: TensorFlow notices a frozen peer after 10 s."""

OnStatus = Callable[[list[WorkerStatus]], None]
OnLine = Callable[[int, str], None]


class LocalRunError(ClientError):
    """A run that cannot start on this machine; one sentence with what to do."""


def unwritable(error: OSError) -> LocalRunError:
    """What is said when the folder of a job cannot be written."""
    return LocalRunError(
        f"{error.filename or 'the folder of the job'} cannot be written: {error.strerror};"
        " --runs-dir names another folder, runs_dir in a program"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalResult:
    """How a local run ended, and where its files are."""

    phase: Phase
    """`Succeeded` or `Failed`."""
    failure: Cause | None
    metrics: dict[str, float]
    """Last logs of training and validation, `loss` among them."""
    evaluation: dict[str, float]
    skipped_images: int
    """Images that cannot be read and so were left out."""
    warnings: list[str]
    """What went wrong after training without ending the job."""
    seconds: float
    """Wall time of all attempts."""
    restarts: int
    versions: dict[str, str]
    job_dir: Path
    files: JobFiles
    """Names of the files below `job_dir`."""
    log: Path
    """Output of the worker that failed, else of the chief."""


@dataclass(slots=True, kw_only=True)
class _Run:
    """What does not change over the attempts of a run, and what they have told so far."""

    job: TrainingJob
    volume: Path
    files: JobFiles
    on_status: OnStatus
    on_line: OnLine
    stop: threading.Event
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: float = field(default_factory=time.monotonic)


def run_local(
    job: TrainingJob,
    *,
    volume_dir: Path,
    runs_dir: Path,
    on_status: OnStatus,
    on_line: OnLine = lambda rank, line: None,
    stop: threading.Event | None = None,
) -> LocalResult:
    """Trains on `spec.workers` local processes; results go to `runs_dir/<name>/`.

    Relative paths of the job are below `volume_dir`. `on_status` gets the statuses of the workers
    several times a second, and once more when all have ended; `on_line` each line of output with
    its rank. Both are called from the calling thread. Once `stop` is set, all processes are ended
    as on SIGINT, and the run has failed as Preempted.

    Raises:
        LocalRunError: this machine lacks what the trainer needs.
        KeyboardInterrupt: on SIGINT, after all processes have ended.
        SystemExit: on SIGTERM, likewise.

    """
    check_trainer(job)
    root = (runs_dir / job.metadata.name).absolute()
    run = _Run(
        job=job,
        volume=volume_dir.absolute(),
        files=JobFiles(PurePosixPath(root)),
        on_status=on_status,
        on_line=on_line,
        stop=stop or threading.Event(),
    )
    try:
        first = _prepare(root)
    except OSError as error:
        raise unwritable(error) from error
    with _sigterm_as_exit():
        return _train(run, first=first)


def _train(run: _Run, *, first: int) -> LocalResult:
    folder = Path(tempfile.mkdtemp(prefix="kubefit-"))
    try:
        with Gang(_config(run), folder=folder) as gang:
            _watch(run, gang)
            by_themselves = {outcome.rank for outcome in gang.ended()}
            gang.stop()
            outcomes = gang.ended()
            run.on_status(gang.statuses())
        _drain(run, gang)
        # Those that were stopped because another had failed are no cause of anything.
        stopped = run.stop.is_set()
        ended = [
            outcome
            for outcome in outcomes
            if outcome.rank in by_themselves
            or not (stopped or outcome.exit_code == ExitCode.PREEMPTED)
        ]
        if stopped and len(ended) < run.job.spec.workers and not first_cause(ended):
            ended = [_interrupted()]
        return _finish(run, ended, first=first, last=gang.attempt)
    except (KeyboardInterrupt, SystemExit):
        _finish(run, [_interrupted()], first=first, last=first)
        raise
    finally:
        shutil.rmtree(folder)


def _watch(run: _Run, gang: Gang) -> None:
    """Returns when all workers have ended for good, or when one has and the others had their time.

    An agent that ended otherwise is started anew, as a Job makes a new pod.
    """
    restarts, over_at = 0, math.inf
    ended_at: dict[int, float] = {}
    while not run.stop.is_set() and (
        len(ended := gang.ended()) < run.job.spec.workers
        or any(not _is_final(outcome) for outcome in ended)
    ):
        now = time.monotonic()
        if any(_is_final(o) and o.exit_code != ExitCode.SUCCESS for o in ended):
            over_at = min(over_at, now + _SETTLE_SECONDS)
        if now > over_at:
            return
        for outcome in ended:
            since = ended_at.setdefault(outcome.rank, now)
            # One that lost its peers may have heard that the job is over before it is seen here.
            lost = outcome.exit_code == ExitCode.PEER_LOST
            if _is_final(outcome) or over_at < math.inf:
                continue
            if not lost or now - since > _PEER_LOST_SETTLE_SECONDS:
                restarts += outcome.exit_code != ExitCode.PREEMPTED
                if restarts > run.job.spec.run_policy.max_restarts:
                    return
                del ended_at[outcome.rank]
                gang.start(outcome.rank)
        run.on_status(gang.statuses())
        _drain(run, gang, seconds=_POLL_SECONDS)


def _is_final(outcome: Outcome) -> bool:
    return outcome.exit_code == ExitCode.SUCCESS or is_permanent(outcome.exit_code)


def _drain(run: _Run, gang: Gang, *, seconds: float = 0.0) -> None:
    """Passes output on for so long."""
    deadline = time.monotonic() + seconds
    while True:
        left = deadline - time.monotonic()
        try:
            rank, line = gang.lines.get(block=left > 0, timeout=max(left, 0.001))
        except queue.Empty:
            return
        run.on_line(rank, line)


def _config(run: _Run) -> RunConfig:
    spec, workers = run.job.spec, run.job.spec.workers
    ports = free_ports(workers)
    return RunConfig(
        namespace=run.job.metadata.namespace,
        name=run.job.metadata.name,
        workers=workers,
        hosts=HOST,
        agent_ports=ports,
        volume_dir=str(run.volume),
        job_dir=str(run.files.root),
        peer_timeout_seconds=120.0,
        run=run.id,
        checkpoint=spec.checkpoint,
        elastic=spec.elastic,
        max_restarts=spec.run_policy.max_restarts,
        restart_window_seconds=spec.run_policy.restart_window_seconds,
        stall_seconds=spec.run_policy.stall_seconds,
        warm_spare=spec.run_policy.warm_spare,
        grace_seconds=GRACE_SECONDS,
        initial_weights=spec.initial_weights,
        histograms=spec.tensorboard.histograms,
        profile=spec.tensorboard.profile,
        recipe=spec.recipe,
        script=spec.script,
    )


def _finish(run: _Run, outcomes: list[Outcome], *, first: int, last: int) -> LocalResult:
    """Writes `result.json`: of a failure only the launcher knows the first cause."""
    cause, chief = first_cause(outcomes), chief_of(outcomes)
    report = chief.report if chief else None
    result = _reported(Path(run.files.result), run.id) or Result(
        phase=Phase.SUCCEEDED if cause is None else Phase.FAILED,
        run=run.id,
        attempts=last,
        seconds=0.0,
        metrics=report.metrics if report else {},
        evaluation=report.evaluation if report else {},
        skipped_images=report.skipped_images if report else 0,
        warnings=report.warnings if report else [],
        versions=report.versions if report else {},
    )
    result = result.model_copy(
        update={
            "phase": Phase.SUCCEEDED if cause is None else Phase.FAILED,
            "seconds": round(time.monotonic() - run.started, 3),
            "failure": cause and cause_of(cause),
        }
    )
    _write(Path(run.files.result), result)
    attempt = max(first, last, result.attempts)
    return LocalResult(
        phase=result.phase,
        failure=result.failure,
        metrics=result.metrics,
        evaluation=result.evaluation,
        skipped_images=result.skipped_images,
        warnings=result.warnings,
        seconds=result.seconds,
        restarts=attempt - first,
        versions=result.versions,
        job_dir=Path(run.files.root),
        files=run.files,
        log=Path(run.files.log(attempt, cause.rank if cause else 0)),
    )


def _interrupted() -> Outcome:
    return Outcome(
        rank=0,
        exit_code=ExitCode.PREEMPTED,
        reason="Preempted",
        message="the run was interrupted",
    )


def _reported(file: Path, run: str) -> Result | None:
    """What the chief's agent wrote at the end of that run."""
    result = result_in(file)
    return result if result is not None and result.run == run else None


def result_in(file: Path) -> Result | None:
    """The result that is written there; None if there is none yet, or none that can be read."""
    try:
        return Result.model_validate_json(file.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _write(file: Path, result: Result) -> None:
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    beside.write_text(result.model_dump_json(by_alias=True, indent=2) + "\n")
    beside.replace(file)


def _prepare(root: Path) -> int:
    """Makes the directory of the job, forgets the result before; returns the next attempt."""
    logs = root / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    forget_result(root)
    numbers = [entry.name.removeprefix("attempt-") for entry in logs.glob("attempt-*")]
    return 1 + max((int(number) for number in numbers if number.isdecimal()), default=0)


def forget_result(root: Path) -> None:
    """Removes the result of the run before, and the checkpoints if it has succeeded."""
    file = root / "result.json"
    before = result_in(file)
    if before is not None and before.phase is Phase.SUCCEEDED:
        shutil.rmtree(root / "checkpoints", ignore_errors=True)
    file.unlink(missing_ok=True)


def check_trainer(job: TrainingJob) -> None:
    """Looks whether this machine has what the job trains with.

    Raises:
        LocalRunError: it lacks something.

    """
    script = job.spec.script
    if script and script.runtime is Runtime.TF_KERAS and not importlib.util.find_spec("tf_keras"):
        raise LocalRunError(
            f"tf_keras is not installed in {sys.prefix}; the runtime tf-keras needs"
            " pip install --no-deps 'tf_keras>=2.21,<2.22'"
        )
    for module in ("kubefit_trainer", "tensorflow", "keras"):
        if importlib.util.find_spec(module) is None:
            raise LocalRunError(
                f"{module} is not installed in {sys.prefix}; a run on this machine needs"
                " pip install 'kubefit[trainer]'"
            )


@contextlib.contextmanager
def _sigterm_as_exit() -> Iterator[None]:
    """SIGTERM unwinds the stack as SIGINT does, so that children are ended first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
