"""The life of an agent: pre-flight checks, the meetings with its peers, its trainers."""

import os
import threading
import time
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
    is_secondary,
)
from kubefit.api.names import Env
from kubefit_trainer import preflight, script
from kubefit_trainer.agent import (
    attempts,
    environment,
    generation,
    guest,
    last_words,
    origin,
    outcome,
    policy,
    results,
    server,
    settings,
    snapshots,
)
from kubefit_trainer.agent.background import Answer, Background
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
_MARGIN_SECONDS = 10.0
"""Left of the grace when the trainer is killed, to save what is in memory."""


@dataclass(slots=True)
class Stop:
    """Requests to stop, from signals or from the end of the parent."""

    requested: int = 0
    event: threading.Event = field(default_factory=threading.Event)

    def request(self) -> None:
        """Asks once more."""
        self.requested += 1
        self.event.set()


@dataclass(frozen=True, slots=True)
class Over:
    """The end of this worker."""

    failure: Failure | None


class Agent:
    """One worker, from its first word to its last."""

    def __init__(self, given: Settings, folder: Path, memory: Path, stop: Stop) -> None:
        self._config, self._rank = given.config, given.rank
        self._config_file = given.config_file
        self._stop = stop
        self._files = JobFiles(PurePosixPath(self._config.job_dir))
        self._member = Member(
            rank=self._rank,
            workers=self._config.workers,
            paths=Paths(folder),
            held=snapshots.Held(memory, last_words.say),
            stall_seconds=self._config.stall_seconds,
            warm_spare=self._config.warm_spare,
        )
        self._host: Host | None = None
        self._state = State(
            rank=self._rank,
            workers=self._config.workers,
            attempt=max(1, attempts.next_attempt(self._files, self._rank)),
            progress_file=self._member.paths.progress,
        )
        self._started = self._heard = time.monotonic()
        self._stop_at: float | None = None
        self._cause: Cause | None = None
        self._token = ""
        self._bringing: Background[str | None] = Background()

    def run(self) -> int:
        """Serves, checks, meets the others, trains; whatever happens, it is told."""
        try:
            if self._is_done():
                # Its pod was made anew after the job's end.
                return self._end(None, again=True)
            failure = self._work()
        except ConfigurationError as error:
            failure = Failure(exit_code=ExitCode.CONFIGURATION_ERROR, message=str(error))
        finally:
            self._member.close()
        return self._end(failure)

    def _is_done(self) -> bool:
        """Whether the chief has written that this run of the job has succeeded."""
        run = self._config.run
        return bool(run) and origin.has_succeeded(self._files, run=run)

    def _work(self) -> Failure | None:
        self._token = settings.token(os.environ, self._config)
        if self._rank == 0:
            self._host = Host(
                self._config,
                self._files,
                warn=last_words.say,
                job=os.environ.get(Env.JOB_UID, ""),
            )
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
                self._member.meeting = directive.meeting
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
            return self._host.hear(report)
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

    def _act(self, directive: Directive | None) -> Over | None:
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
            if self._member.running:
                return None
            cause = directive.cause
            self._cause = cause if cause and cause.rank == self._rank else None
            return self._over(policy.given_up(self._rank, cause, own=self._member.failure))
        if action is Action.RUN and directive.generation > self._member.generation:
            self._begin(directive)
        elif action is Action.STOP:
            self._member.stop(self._grace())
        elif action is Action.END:
            self._member.end(dump=directive.dump)
        elif action is Action.WAIT and not self._member.running:
            self._tell_waiting(directive)
        return None

    def _over(self, failure: Failure | None) -> Over | None:
        """The agent of worker 0 stays until all have heard."""
        if self._host is not None and not self._host.over():
            self._stop_at = self._stop_at or time.monotonic() + _LAST_WORDS_SECONDS
            if time.monotonic() < self._stop_at:
                return None
        return Over(failure)

    def _leave(self) -> Over | None:
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
        held = member.held.names()
        if held is None:
            return None
        self._save(held)
        # The others are told that the trainer has ended, and not to wait for the next one.
        self._ask()
        text = "the worker was told to stop"
        failure = member.failure or Failure(exit_code=ExitCode.PREEMPTED, message=text)
        if is_secondary(failure.exit_code) or member.generation == 0:
            failure = Failure(exit_code=ExitCode.PREEMPTED, message=text, details=failure.details)
        return Over(failure)

    def _grace(self) -> float:
        return max(1.0, self._config.grace_seconds - _MARGIN_SECONDS)

    def _save(self, names: list[str]) -> None:
        """What is in memory goes with this worker: the chief has it written to the volume."""
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
            last_words.say(f"the snapshot of step {newest.step} cannot be saved: {error.strerror}")

    def _cut_off(self) -> Over | None:
        silent = time.monotonic() - self._heard
        if self._member.succeeded and self._is_done():
            return Over(None)
        if silent > _CUT_OFF_SECONDS:
            self._member.end()
        where = f"{self._config.host(0)}:{self._config.agent_port(0)}"
        if not self._member.running:
            self._state.enter(AgentPhase.WAITING, waiting_for=f"the agent of worker 0 ({where})")
        if silent <= self._config.peer_timeout_seconds:
            return None
        return Over(
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
            return {}
        return {
            "last_cause": directive.cause,
            "restarts": self._host.restarts,
            "has_trained": self._host.has_trained,
        }

    def _begin(self, directive: Directive) -> None:
        if self._member.running:
            self._member.end()
            return
        restore = self._restored(directive)
        if restore is None:
            self._state.enter(AgentPhase.WAITING, waiting_for=f"the snapshot {directive.restore}")
            return
        if restore.value is None:
            # Whoever held it is gone meanwhile: another generation goes on from another one.
            message = f"worker {self._rank} could not fetch the snapshot {directive.restore}"
            lost = Failure(exit_code=ExitCode.PEER_LOST, message=message)
            self._member.give_up(directive.generation, lost)
            return
        if directive.cause is not None and directive.members[0] == self._rank:
            cause = directive.cause
            text = f"worker {cause.rank}: {cause.message}; restarting all workers"
            last_words.say(text, level="warning")
        generation.start(self._member, directive, self._config, restore=restore.value)
        self._state.enter(
            AgentPhase.RUNNING,
            attempt=directive.generation,
            workers=len(directive.members),
            **self._of_gang(directive),
        )

    def _restored(self, directive: Directive) -> Answer[str | None] | None:
        """Path of the snapshot to go on from, without a path if nobody gives it.

        None while it is on its way from another worker.
        """
        name = directive.restore
        if not name or name.startswith("/"):
            return Answer(name)
        folder = self._member.held.folder
        return self._bringing.answer(
            directive.generation,
            lambda: snapshots.bring(name, directive.holders, folder, token=self._token),
        )

    def _log_failure(self, failure: Failure) -> None:
        """A fault that is found before the first attempt is in the log that it would have had."""
        attempt = self._state.status().attempt
        with generation.open_log(self._config, attempt, self._rank) as log:
            log.write(f"kubefit: {failure.message}\n".encode())

    def _end(self, failure: Failure | None, *, again: bool = False) -> int:
        """Tells how it ended: to people, to the status, to the volume, to Kubernetes."""
        phase = AgentPhase.FAILED if failure else AgentPhase.SUCCEEDED
        self._state.enter(phase, failure=failure)
        if failure is not None:
            last_words.say(failure.message, level="error")
        last = outcome.outcome_of(
            self._rank,
            failure=failure,
            ended=self._cause.time if self._cause and self._cause.time else time.time(),
            report=self._state.report(),
            reason=self._cause.reason if self._cause else "",
        )
        if self._rank == 0 and not again:
            self._write_result(last)
        last_words.write_outcome(last)
        return last.exit_code

    def _write_result(self, last: Outcome) -> None:
        seconds = time.monotonic() - self._started
        attempt = self._state.status().attempt
        found = results.result_of(last, run=self._config.run, attempt=attempt, seconds=seconds)
        last_words.write_result(self._files, found)
