"""The life of an agent: settings, pre-flight checks, the meetings with its peers, last words."""

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
from typing import Any

from kubefit.api.contract import (
    AgentPhase,
    Cause,
    ExitCode,
    Failure,
    JobFiles,
    Outcome,
)
from kubefit.api.names import MEMORY_DIR, Env
from kubefit_trainer import lifeline, preflight, script
from kubefit_trainer import report as files
from kubefit_trainer.agent import (
    attempts,
    cgroup,
    child,
    environment,
    guest,
    origin,
    outcome,
    policy,
    results,
    server,
    settings,
    snapshots,
)
from kubefit_trainer.agent.host import Host
from kubefit_trainer.agent.member import Member, Paths
from kubefit_trainer.agent.messages import Action, Directive
from kubefit_trainer.agent.settings import Settings
from kubefit_trainer.agent.state import State
from kubefit_trainer.checkpoints import store
from kubefit_trainer.failure import ConfigurationError

_CUT_OFF_SECONDS = 10.0
"""Without a word from the agent of worker 0 for so long, the trainer is ended: its generation is
given up there soon after."""
_LAST_WORDS_SECONDS = 10.0
_CONFIGURATION_SECONDS = 180.0
"""A kubelet looks at mounted ConfigMaps about once a minute."""
_MARGIN_SECONDS = 10.0
"""Left of the grace when the trainer is killed, to save what is in memory."""


@dataclass(slots=True)
class _Stop:
    """Requests to stop, from signals or from the end of the parent."""

    requested: int = 0
    event: threading.Event = field(default_factory=threading.Event)

    def request(self) -> None:
        self.requested += 1
        self.event.set()


def main() -> int:
    """Runs one worker to its end; returns its exit code."""
    stop = _Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.request())
    lifeline.watch(stop.request)
    try:
        given = _settings(stop)
    except ConfigurationError as error:
        return _refuse(str(error))
    folder = Path(tempfile.mkdtemp(prefix="kubefit-agent-"))
    memory = _memory(folder)
    try:
        return _Agent(given, folder, memory, stop).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(memory, ignore_errors=True)


def _settings(stop: _Stop) -> Settings:
    """A job that grows makes pods a moment before all nodes have its new configuration."""
    deadline = time.monotonic() + _CONFIGURATION_SECONDS
    while True:
        try:
            return settings.read(os.environ)
        except settings.NotAMemberError:
            if stop.requested or time.monotonic() > deadline or Env.RANK in os.environ:
                raise
            stop.event.wait(1.0)


def _memory(folder: Path) -> Path:
    """A folder for snapshots; where there is no file system in memory, on the disk of the pod."""
    try:
        return Path(tempfile.mkdtemp(prefix="kubefit-snapshots-", dir=MEMORY_DIR))
    except OSError:
        made = folder / "snapshots"
        made.mkdir()
        return made


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
    def __init__(self, given: Settings, folder: Path, memory: Path, stop: _Stop) -> None:
        self._config, self._rank = given.config, given.rank
        self._config_file = given.config_file
        self._stop, self._folder = stop, folder
        self._files = JobFiles(PurePosixPath(self._config.job_dir))
        self._paths = Paths(folder)
        self._member = Member(
            rank=self._rank,
            workers=self._config.workers,
            paths=self._paths,
            held=snapshots.Held(memory, _say),
            stall_seconds=self._config.stall_seconds,
            warm_spare=self._config.warm_spare,
        )
        self._host: Host | None = None
        self._state = State(
            rank=self._rank,
            workers=self._config.workers,
            attempt=max(1, attempts.next_attempt(self._files, self._rank)),
            progress_file=self._paths.progress,
        )
        self._started = self._heard = time.monotonic()
        self._stop_at: float | None = None
        self._cause: Cause | None = None
        self._token = ""

    def run(self) -> int:
        """Serves, checks, meets the others, trains; whatever happens, it is told."""
        try:
            if self._is_done():
                # Its pod was made anew after the job's end.
                return self._end(None, again=True)
            failure = self._work()
        except ConfigurationError as error:
            failure = Failure(exit_code=ExitCode.CONFIGURATION_ERROR, message=str(error))
        return self._end(failure)

    def _is_done(self) -> bool:
        """Whether the chief has written that this run of the job has succeeded."""
        run = self._config.run
        return bool(run) and origin.has_succeeded(self._files, run=run)

    def _work(self) -> Failure | None:
        self._token = settings.token(os.environ, self._config)
        if self._rank == 0:
            self._host = Host(self._config, self._files, warn=_say)
        offers = server.ForPeers(
            token=self._token, snapshots=self._member.held.folder, host=self._host
        )
        server.serve(self._config, self._rank, self._state, offers)
        failure = self._check()
        if failure is not None:
            self._log_failure(failure)
            return failure
        while True:
            directive = self._ask()
            if directive is not None:
                self._heard = time.monotonic()
            over = self._act(directive)
            if over is not None:
                return over.failure
            self._member.wait()

    def _check(self) -> Failure | None:
        """Faults that need no TensorFlow to be found."""
        failure = script.check(self._config)
        if failure is not None:
            return failure
        message = preflight.check(self._config, self._rank)
        message = message or environment.check(self._config, given=os.environ)
        if message is not None:
            return Failure(exit_code=ExitCode.CONFIGURATION_ERROR, message=message)
        return None

    def _ask(self) -> Directive | None:
        """Reports, and hears what is to be done."""
        self._reread()
        report = self._member.report()
        if self._host is not None:
            return self._host.hear(report, self._config.host(0))
        try:
            return guest.ask(self._config, report, token=self._token)
        except guest.RefusedError as error:
            # The Secret may have been made anew, and not be here, or there, yet.
            self._state.enter(AgentPhase.WAITING, waiting_for=str(error))
            self._token = settings.token(os.environ, self._config)
            return None

    def _reread(self) -> None:
        """The number of workers may be changed under a running job."""
        if self._host is None:
            return
        now = settings.reread(self._config_file, self._config)
        if now.workers != self._config.workers:
            self._config = now
            self._host.resize(now.workers)

    def _act(self, directive: Directive | None) -> "_Over | None":
        if self._stop.requested:
            over = self._leave()
            if over is not None:
                return over
        if directive is None:
            return self._cut_off()
        action = directive.action
        if action is Action.FINISH:
            return self._over(None)
        if action is Action.FAIL:
            self._member.end()
            return self._over(self._given_up(directive)) if not self._member.running else None
        if action is Action.RUN and directive.generation > self._member.generation:
            self._begin(directive)
        elif action is Action.STOP:
            self._member.stop(self._grace())
        elif action is Action.END:
            self._member.end(dump=directive.dump)
        elif action is Action.WAIT and not self._member.running:
            self._tell_waiting(directive)
        return None

    def _over(self, failure: Failure | None) -> "_Over | None":
        """The agent of worker 0 stays until all have heard."""
        if self._host is not None and not self._host.over():
            self._stop_at = self._stop_at or time.monotonic() + _LAST_WORDS_SECONDS
            if time.monotonic() < self._stop_at:
                return None
        return _Over(failure)

    def _leave(self) -> "_Over | None":
        """Ends the trainer, which keeps its state with the others first, and then this worker."""
        member = self._member
        if not member.leaving:
            member.leaving = True
            self._stop_at = time.monotonic() + self._grace()
            member.stop(self._grace())
        elif self._stop.requested > 1:
            member.kill()
        if member.running or (member.succeeded and time.monotonic() < (self._stop_at or 0)):
            return None
        self._save()
        # The others are told that the trainer has ended, and not to wait for the next one.
        self._ask()
        text = "the worker was told to stop"
        failure = member.failure or Failure(exit_code=ExitCode.PREEMPTED, message=text)
        if policy.is_secondary(failure.exit_code) or member.generation == 0:
            failure = Failure(exit_code=ExitCode.PREEMPTED, message=text, details=failure.details)
        return _Over(failure)

    def _grace(self) -> float:
        return max(1.0, self._config.grace_seconds - _MARGIN_SECONDS)

    def _save(self) -> None:
        """What is in memory goes with this worker: the chief has it written to the volume."""
        names = self._member.held.names()
        if self._rank != 0 or not names:
            return
        newest = store.parse(Path(names[0]))
        folder = Path(self._files.checkpoints)
        there = store.found(folder)
        if newest is None or (there and there[0].step >= newest.step):
            return
        try:
            store.persist(self._member.held.folder / names[0], folder)
        except OSError as error:
            _say(f"the snapshot of step {newest.step} cannot be saved: {error.strerror}")

    def _cut_off(self) -> "_Over | None":
        silent = time.monotonic() - self._heard
        if self._member.succeeded and self._is_done():
            return _Over(None)
        if silent > _CUT_OFF_SECONDS:
            self._member.end()
        where = f"{self._config.host(0)}:{self._config.agent_port(0)}"
        if not self._member.running:
            self._state.enter(AgentPhase.WAITING, waiting_for=f"the agent of worker 0 ({where})")
        if silent <= self._config.peer_timeout_seconds:
            return None
        return _Over(
            Failure(
                exit_code=ExitCode.PEER_LOST,
                message=f"worker {self._rank} waited {silent:.0f} s for the agent of worker 0"
                f" ({where})",
            )
        )

    def _tell_waiting(self, directive: Directive) -> None:
        self._state.enter(
            AgentPhase.WAITING,
            waiting_for=directive.waiting_for,
            **self._of_gang(directive),
        )

    def _of_gang(self, directive: Directive) -> dict[str, Any]:
        """What the chief's status says of all workers together."""
        if self._host is None:
            return {"last_cause": None, "restarts": 0}
        return {"last_cause": directive.cause, "restarts": self._host.restarts}

    def _begin(self, directive: Directive) -> None:
        if self._member.running:
            self._member.end()
            return
        restore = self._restored(directive)
        if restore is None:
            # Whoever held it is gone meanwhile: another generation goes on from another one.
            message = f"worker {self._rank} could not fetch the snapshot {directive.restore}"
            lost = Failure(exit_code=ExitCode.PEER_LOST, message=message)
            self._member.give_up(directive.generation, lost)
            return
        rank = directive.members.index(self._rank)
        size = len(directive.members)
        own = self._folder / "run.json"
        files.write(own, self._config.model_copy(update={"workers": size}))
        given = {name: value for name, value in os.environ.items() if name != Env.TOKEN_FILE}
        variables: Mapping[str, str] = {
            **environment.of_trainer(
                self._config,
                rank,
                addresses=directive.addresses,
                cpus=cgroup.cpus(),
                given=given,
            ),
            Env.RUN_CONFIG: str(own),
            Env.RANK: str(rank),
            Env.ATTEMPT: str(directive.generation),
            Env.PROGRESS_FILE: str(self._paths.progress),
            Env.FAILURE_FILE: str(self._paths.failure),
            Env.SNAPSHOT_DIR: str(self._member.held.folder),
            Env.RESTORE: restore,
        }
        if directive.cause is not None and rank == 0:
            _say(
                f"worker {directive.cause.rank}: {directive.cause.message}; restarting all workers"
            )
        origin_of = store.parse(Path(restore)) if restore else None
        first_step = origin_of.step if origin_of else 0
        self._member.held.drop_after(first_step)
        self._member.start(
            directive.generation,
            variables,
            log=self._open_log(directive.generation),
            size=size,
            first_step=first_step,
        )
        self._state.enter(
            AgentPhase.RUNNING,
            attempt=directive.generation,
            workers=size,
            **self._of_gang(directive),
        )

    def _restored(self, directive: Directive) -> str | None:
        """Path of the snapshot to go on from, brought here if needed; None if that failed."""
        if not directive.restore or directive.restore.startswith("/"):
            return directive.restore
        path = snapshots.bring(
            directive.restore, directive.holders, self._member.held.folder, token=self._token
        )
        return str(path) if path else None

    def _open_log(self, attempt: int) -> "child.Log":
        path = Path(self._files.log(attempt, self._rank))
        try:
            return child.open_log(path)
        except OSError as error:
            raise ConfigurationError(
                f"spec.storage: {path} cannot be written: {error.strerror}"
            ) from error

    def _log_failure(self, failure: Failure) -> None:
        """A fault that is found before the first attempt is in the log that it would have had."""
        with self._open_log(self._state.status().attempt) as log:
            log.write(f"kubefit: {failure.message}\n".encode())

    def _given_up(self, directive: Directive) -> Failure:
        """How this worker ends where the job has failed."""
        cause = directive.cause
        if cause is None or cause.rank == self._rank:
            self._cause = cause
            message = cause.message if cause else "the job has failed"
            code = policy.exit_code_of(cause) if cause else ExitCode.CRASHED
            return Failure(exit_code=code, message=message, details=cause.details if cause else "")
        own = self._member.failure
        if own is not None and own.exit_code == ExitCode.PEER_LOST:
            return own
        return Failure(
            exit_code=ExitCode.PEER_LOST, message=f"worker {cause.rank} failed: {cause.message}"
        )

    def _end(self, failure: Failure | None, *, again: bool = False) -> int:
        """Tells how it ended: to people, to the status, to the volume, to Kubernetes."""
        phase = AgentPhase.FAILED if failure else AgentPhase.SUCCEEDED
        self._state.enter(phase, failure=failure)
        if failure is not None:
            _say(failure.message)
        last = outcome.outcome_of(
            self._rank,
            failure=failure,
            ended=self._cause.time if self._cause and self._cause.time else time.time(),
            report=self._state.report(),
            reason=self._cause.reason if self._cause else "",
        )
        if self._rank == 0 and not again:
            self._write_result(last)
        _write_outcome(last)
        return last.exit_code

    def _write_result(self, last: Outcome) -> None:
        seconds = time.monotonic() - self._started
        attempt = self._state.status().attempt
        found = results.result_of(last, run=self._config.run, attempt=attempt, seconds=seconds)
        try:
            results.write(self._files, found)
        except OSError as error:
            _say(f"cannot write {self._files.result}: {error.strerror}")


@dataclass(frozen=True, slots=True)
class _Over:
    """The end of this worker."""

    failure: Failure | None
