"""The life of an agent: settings, pre-flight checks, peers, trainer, last words."""

import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from kubefit.api.contract import AgentPhase, ExitCode, Failure, JobFiles, Outcome
from kubefit.api.names import Env
from kubefit_trainer import lifeline, preflight, report, script
from kubefit_trainer.agent import (
    attempts,
    cgroup,
    child,
    ending,
    environment,
    outcome,
    peers,
    results,
    server,
    settings,
)
from kubefit_trainer.agent.settings import Settings
from kubefit_trainer.agent.state import State
from kubefit_trainer.failure import ConfigurationError


@dataclass(slots=True)
class _Stop:
    """A request to stop, from a signal or from the end of the parent."""

    event: threading.Event = field(default_factory=threading.Event)
    trainer: child.Trainer | None = None
    failed_before: Path | None = None
    after_failure: bool = False

    def request(self) -> None:
        if self.failed_before is not None and not self.event.is_set():
            self.after_failure = self.failed_before.exists()
        self.event.set()
        if self.trainer is not None:
            self.trainer.stop()


def main() -> int:
    """Runs one worker to its end; returns its exit code."""
    stop = _Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.request())
    lifeline.watch(stop.request)
    try:
        given = settings.read(os.environ)
    except ConfigurationError as error:
        return _refuse(str(error))
    folder = Path(tempfile.mkdtemp(prefix="kubefit-agent-"))
    try:
        return _Agent(given, folder, stop).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _refuse(message: str) -> int:
    """Ends a worker that does not even know who it is."""
    failure = Failure(exit_code=ExitCode.CONFIGURATION_ERROR, message=message)
    _say(failure.message)
    last = outcome.outcome_of(_rank_or_zero(), failure=failure, ended=time.time(), report=None)
    _write_outcome(last)
    return failure.exit_code


def _rank_or_zero() -> int:
    try:
        return settings.rank_of(os.environ)
    except ConfigurationError:
        return 0


def _say(message: str) -> None:
    try:
        print(f"kubefit: {message}", file=sys.stderr, flush=True)
    except BrokenPipeError:
        # The launcher that read this is gone; files still tell.
        return


def _write_outcome(last: Outcome) -> None:
    file = settings.outcome_file(os.environ)
    try:
        outcome.write(file, last)
    except OSError as error:
        _say(f"cannot write the outcome to {file}: {error.strerror}")


class _Agent:
    def __init__(self, given: Settings, folder: Path, stop: _Stop) -> None:
        self._config, self._rank = given.config, given.rank
        self._config_file = given.config_file
        self._stop = stop
        self._files = JobFiles(PurePosixPath(self._config.job_dir))
        self._attempt = given.attempt or attempts.next_attempt(self._files, self._rank)
        self._progress_file = folder / "progress.json"
        self._failure_file = folder / "failure.json"
        self._state = State(
            rank=self._rank,
            workers=self._config.workers,
            attempt=self._attempt,
            progress_file=self._progress_file,
        )
        self._started = time.monotonic()

    def run(self) -> int:
        """Serves, checks, waits, trains; whatever happens, it is told."""
        try:
            with self._open_log() as log:
                failure = self._work(log)
                if failure is not None:
                    log.write(f"kubefit: {failure.message}\n".encode())
        except ConfigurationError as error:
            failure = Failure(exit_code=ExitCode.CONFIGURATION_ERROR, message=str(error))
        return self._end(failure)

    def _work(self, log: IO[bytes]) -> Failure | None:
        server.serve(self._config, self._rank, self._state)
        failure = self._check()
        if failure is not None:
            return failure
        self._state.enter(AgentPhase.WAITING)
        try:
            peers.wait(self._config, self._rank, stop=self._stop.event, tell=self._waiting)
        except peers.PeersNotReachableError as error:
            return Failure(exit_code=ExitCode.PEER_LOST, message=str(error))
        if self._stop.event.is_set():
            return Failure(
                exit_code=ExitCode.PREEMPTED, message="the worker was told to stop before it began"
            )
        return self._train(log)

    def _check(self) -> Failure | None:
        """Faults that need no TensorFlow to be found."""
        failure = script.check(self._config)
        if failure is not None:
            return failure
        message = environment.check(self._config, given=os.environ)
        message = message or preflight.check(self._config, self._rank)
        if message is not None:
            return Failure(exit_code=ExitCode.CONFIGURATION_ERROR, message=message)
        return None

    def _waiting(self, waiting_for: str) -> None:
        self._state.enter(AgentPhase.WAITING, waiting_for=waiting_for)

    def _open_log(self) -> IO[bytes]:
        path = Path(self._files.log(self._attempt, self._rank))
        try:
            return child.open_log(path)
        except OSError as error:
            raise ConfigurationError(
                f"spec.storage: {path} cannot be written: {error.strerror}"
            ) from error

    def _train(self, log: IO[bytes]) -> Failure | None:
        kills = cgroup.oom_kills()
        self._stop.failed_before = self._failure_file
        trainer = child.Trainer(self._environment(), log=log)
        self._stop.trainer = trainer
        if self._stop.event.is_set():
            trainer.stop()
        self._state.enter(AgentPhase.RUNNING)
        code = trainer.wait()
        return ending.failure_of(
            ending.End(
                returncode=code,
                told_to_stop=self._stop.event.is_set() and not self._stop.after_failure,
                oom_kills=cgroup.oom_kills() - kills,
                failure=report.read(self._failure_file, Failure),
                output=tuple(trainer.output),
                workers=self._config.workers,
            )
        )

    def _environment(self) -> Mapping[str, str]:
        return {
            **environment.of_trainer(
                self._config,
                self._rank,
                cpus=cgroup.cpus(),
                given=os.environ,
            ),
            Env.RUN_CONFIG: str(self._config_file.absolute()),
            Env.RANK: str(self._rank),
            Env.ATTEMPT: str(self._attempt),
            Env.PROGRESS_FILE: str(self._progress_file),
            Env.FAILURE_FILE: str(self._failure_file),
        }

    def _end(self, failure: Failure | None) -> int:
        """Tells how it ended: to people, to the status, to the volume, to Kubernetes."""
        phase = AgentPhase.FAILED if failure else AgentPhase.SUCCEEDED
        self._state.enter(phase, failure=failure)
        if failure is not None:
            _say(failure.message)
        last = outcome.outcome_of(
            self._rank, failure=failure, ended=time.time(), report=self._state.report()
        )
        if self._rank == 0:
            self._write_result(last)
        _write_outcome(last)
        return last.exit_code

    def _write_result(self, last: Outcome) -> None:
        seconds = time.monotonic() - self._started
        try:
            results.write(
                self._files, results.result_of(last, attempt=self._attempt, seconds=seconds)
            )
        except OSError as error:
            _say(f"cannot write {self._files.result}: {error.strerror}")
