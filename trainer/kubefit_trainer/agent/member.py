"""One worker's side of the rendezvous: its trainer, from generation to generation."""

import contextlib
import signal
import socket
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from kubefit.api.contract import Failure, Spent, TrainerReport
from kubefit_trainer import report as files
from kubefit_trainer.agent import cgroup, child, ending, messages, watching
from kubefit_trainer.agent.lines import LINES
from kubefit_trainer.agent.messages import Report
from kubefit_trainer.agent.snapshots import Held
from kubefit_trainer.agent.spare import Spare

_FROZEN_SECONDS = 10.0
_WAKE_SECONDS = 0.2
_DUMP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Paths:
    """Files by which agent and trainer talk."""

    folder: Path

    @property
    def progress(self) -> Path:
        """`TrainerReport` of the trainer."""
        return self.folder / "progress.json"

    @property
    def failure(self) -> Path:
        """`Failure` of the trainer."""
        return self.folder / "failure.json"

    @property
    def config(self) -> Path:
        """`RunConfig` for the trainer: with the number of workers of its generation."""
        return self.folder / "run.json"


@dataclass(slots=True)
class Member:
    """The trainer of this worker and what became of the last one."""

    rank: int
    workers: int
    paths: Paths
    held: Held
    stall_seconds: float
    warm_spare: bool = False
    """Whether a process stands by to be forked for the next trainer."""
    incarnation: str = field(default_factory=lambda: uuid.uuid4().hex)
    began: float = field(default_factory=time.time)
    """Unix time in seconds."""
    leaving: bool = False
    meeting: str = ""
    """The rendezvous that this member has heard of."""
    generation: int = 0
    failure: Failure | None = None
    step: int = 0
    spent: Spent | None = None
    _reports: int = 0
    _ended: float = 0.0
    _port: int = 0
    _trainer: child.Trainer | None = None
    _spare: Spare | None = None
    _environment: Mapping[str, str] = field(default_factory=dict)
    _log: IO[bytes] | None = None
    _first_step: int = 0
    _size: int = 1
    _kills: int = 0
    _told_to_end: bool = False
    _was_stopped: bool = False
    _stopped: bool = False
    _failed_before_stop: bool = False
    _frozen_since: float | None = None
    _silence: watching.Silence = field(default_factory=watching.Silence)

    @property
    def running(self) -> bool:
        """Whether there is a trainer."""
        return self._trainer is not None

    @property
    def succeeded(self) -> bool:
        """Whether the last trainer ended well."""
        return not self.running and self.generation > 0 and self.failure is None

    def report(self) -> Report:
        """State of this member, for the rendezvous."""
        told = files.read(self.paths.progress, TrainerReport)
        if told is not None:
            self.step, self.spent = max(self.step, told.step), told.spent
            LINES.step = self.step
            self._keep_spare(told)
        state = messages.Member.RUNNING if self.running else messages.Member.ENDED
        if self.generation == 0:
            state = messages.Member.IDLE
        if not self._port:
            self._port = _free_port()
        self._reports += 1
        # Those of a trainer that runs are of no use to anybody, and not worth reading all the time.
        held = [] if self.running else self.held.names()
        return Report(
            rank=self.rank,
            incarnation=self.incarnation,
            began=self.began,
            number=self._reports,
            meeting=self.meeting,
            state=state,
            generation=self.generation,
            failure=None if self.running else self.failure,
            ended=self._ended,
            step=self.step,
            spent=self.spent,
            stalled=self._stalled(told) or "",
            port=self._port,
            snapshots=held or [],
            reading=held is None,
            workers=self.workers,
            leaving=self.leaving,
        )

    def _keep_spare(self, told: TrainerReport) -> None:
        """Makes one once training goes: until then its imports would only delay the trainer's."""
        going = self.running and told.step > self._first_step
        if self.warm_spare and self._spare is None and going and not self.leaving:
            with contextlib.suppress(OSError):
                # Training goes on without one where there is no room for another process.
                self._spare = Spare(self._environment)

    def _stalled(self, told: TrainerReport | None) -> str | None:
        if self._trainer is None:
            return None
        self._look_for_frozen(self._trainer)
        if told is None:
            return None
        return watching.stalled(
            told,
            silent=self._silence.seconds(told, time.monotonic()),
            first_step=self._first_step,
            stall_seconds=self.stall_seconds,
        )

    def _look_for_frozen(self, trainer: child.Trainer) -> None:
        """A process that a signal keeps from running can say nothing: it is ended from here."""
        now = time.monotonic()
        if not trainer.is_stopped():
            self._frozen_since = None
        elif self._frozen_since is None:
            self._frozen_since = now
        elif now - self._frozen_since > _FROZEN_SECONDS:
            self._was_stopped = True
            trainer.kill()

    def start(
        self,
        generation: int,
        environment: Mapping[str, str],
        *,
        log: IO[bytes],
        size: int,
        first_step: int,
    ) -> None:
        """Starts the trainer of a generation; the one before must have ended."""
        for left in (self.paths.progress, self.paths.failure):
            left.unlink(missing_ok=True)
        self.generation, self.failure, self._port = generation, None, 0
        self._size, self._first_step, self._log = size, first_step, log
        self.step, self.spent = first_step, None
        LINES.attempt, LINES.step = generation, first_step
        self._told_to_end = self._was_stopped = self._stopped = self._failed_before_stop = False
        self._frozen_since, self._silence = None, watching.Silence()
        self._kills = cgroup.oom_kills()
        self._environment = environment
        if self._spare is not None and self._spare.ended():
            self._spare = None
        self._trainer = child.Trainer(environment, log=log, spare=self._spare)

    def give_up(self, generation: int, failure: Failure) -> None:
        """Takes part in a generation without a trainer, because none could be started."""
        self.generation, self.failure, self._ended = generation, failure, time.time()

    def stop(self, grace_seconds: float) -> None:
        """Has the trainer keep its state together with the others, and end."""
        if self._trainer is not None and not self._stopped:
            self._stopped = True
            self._failed_before_stop = self.paths.failure.exists()
            self._trainer.stop(grace_seconds)

    def kill(self) -> None:
        """Ends the trainer at once, because this worker is to stop at once."""
        if self._trainer is not None:
            self._trainer.kill()

    def end(self, *, dump: bool = False) -> None:
        """Ends the trainer at once, because the generation is over."""
        trainer = self._trainer
        if trainer is None or self._told_to_end:
            return
        self._was_stopped = self._was_stopped or trainer.is_stopped()
        if dump and not self._was_stopped:
            trainer.dump()
            trainer.ended(_DUMP_SECONDS)
        self._told_to_end = True
        trainer.kill()

    def close(self) -> None:
        """Ends the spare; the last call."""
        if self._spare is not None:
            self._spare.end()

    def wait(self) -> None:
        """Returns when the trainer has ended, or after a moment."""
        trainer = self._trainer
        if trainer is None:
            time.sleep(_WAKE_SECONDS)
            return
        code = trainer.ended(_WAKE_SECONDS)
        if code is None:
            return
        self._trainer, self._ended = None, time.time()
        self.failure = ending.failure_of(
            ending.End(
                returncode=code,
                told_to_stop=self._stopped and not self._failed_before_stop,
                told_to_end=self._told_to_end,
                was_stopped=self._was_stopped and code == -signal.SIGKILL,
                oom_kills=cgroup.oom_kills() - self._kills,
                memory_limit=cgroup.memory_limit(),
                memory_peak=cgroup.memory_peak(),
                failure=files.read(self.paths.failure, Failure),
                output=tuple(trainer.output),
                workers=self._size,
            )
        )
        if self._log is not None:
            if self.failure is not None:
                with contextlib.suppress(OSError):
                    self._log.write(f"kubefit: {self.failure.message}\n".encode())
            self._log.close()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("", 0))
        return int(one.getsockname()[1])
