"""The rendezvous in the agent of worker 0: its state, its lock and its file."""

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from kubefit.api.contract import JobFiles, RunConfig
from kubefit_trainer import report as files
from kubefit_trainer.agent import attempts, goodput, origin, policy
from kubefit_trainer.agent.background import Answer, Background
from kubefit_trainer.agent.goodput import Goodput
from kubefit_trainer.agent.messages import Directive, Report
from kubefit_trainer.agent.policy import Attempt, History
from kubefit_trainer.agent.rendezvous import Limits, Origin, Phase, Rendezvous

_PROGRESS_SECONDS = 30.0
"""Between two looks of the volume at how far an attempt is: so much is unknown if worker 0 goes."""


class Host:
    """Answers members from any thread."""

    def __init__(
        self,
        config: RunConfig,
        job_files: JobFiles,
        *,
        warn: Callable[[str], None],
        job: str = "",
    ) -> None:
        """`job` is the uid of the Job whose pods these are."""
        self._config, self._files, self._warn = config, job_files, warn
        self._file = Path(job_files.attempts)
        self._lock = threading.Lock()
        self._address = ""
        before = _before(self._file, job_files)
        self._meeting = Rendezvous(
            limits=Limits(
                workers=config.workers,
                min_workers=config.elastic.min_workers if config.elastic else None,
                shrink_after_seconds=config.elastic.shrink_after_seconds if config.elastic else 0,
                max_restarts=config.max_restarts,
                restart_window_seconds=config.restart_window_seconds,
            ),
            run=config.run,
            job=job,
            attempts=before,
            began=time.monotonic(),
        )
        self._meeting.close_left_open(time.time())
        self._written: list[Attempt] = []
        self._told_at = time.monotonic()
        self._telling: Background[None] = Background(patience_seconds=0)
        self._record = _Record(self._file, warn)
        self._choosing: Background[Origin | None] = Background(patience_seconds=0.01)

    def reached_at(self, host: str) -> None:
        """Members reach this worker under that address."""
        self._address = host

    def hear(self, report: Report) -> Directive:
        """Takes in a report; says what its member is to do."""
        host = report.address
        if report.rank == 0:
            host = self._address or self._config.host(0)
        shown = f"[{host}]" if ":" in host else host
        agent = f"{shown}:{self._config.agent_port(report.rank)}"
        with self._lock:
            now, wall = time.monotonic(), time.time()
            meeting = self._meeting
            meeting.hear(report, now=now, wall=wall, address=f"{shown}:{report.port}", agent=agent)
            meeting.look(now=now, wall=wall)
            if meeting.ready(now=now) and self._knows_its_address():
                found = self._origin(meeting.in_memory(now=now))
                if found is not None:
                    meeting.begin(now=now, wall=wall, origin=found.value)
            self._write(now)
            return meeting.directive(report, now=now)

    def _origin(self, in_memory: list[str]) -> Answer[Origin | None] | None:
        """What the next generation goes on from; None while the volume is still being read."""
        return self._choosing.answer(
            (self._meeting.generation, tuple(in_memory)),
            lambda: origin.choose(in_memory, self._config, self._files, warn=self._warn),
        )

    def _knows_its_address(self) -> bool:
        return bool(self._address) or self._meeting.limits.workers == 1

    def resize(self, workers: int) -> None:
        """Another number of workers is asked for."""
        with self._lock:
            self._meeting.resize(workers)

    @property
    def restarts(self) -> int:
        """Charged restarts of this run."""
        return self._meeting.restarts

    @property
    def has_trained(self) -> bool:
        """Whether an attempt of this Job has made a step."""
        with self._lock:
            return self._meeting.has_trained

    def over(self) -> bool:
        """Whether the job is over and all members know."""
        with self._lock:
            ended = self._meeting.phase in (Phase.FINISHED, Phase.FAILED)
            return ended and self._meeting.all_told(now=time.monotonic())

    def goodput(self) -> Goodput:
        """What the time of this run went into so far."""
        with self._lock:
            own = self._meeting.own
        return goodput.goodput(own, now=time.time())

    def restarts_used(self) -> float | None:
        """Charged restarts within the window, of those allowed; None where none is."""
        if not self._config.max_restarts:
            return None
        with self._lock:
            own = self._meeting.own
        window = self._config.restart_window_seconds
        charged = policy.charged_within(own, now=time.time(), window_seconds=window)
        return charged / self._config.max_restarts

    def _write(self, now: float) -> None:
        meeting = self._meeting
        if meeting.attempts != self._written:
            self._written, self._told_at = list(meeting.attempts), now
            self._record.write(self._record.next(), self._written)
        elif meeting.phase is Phase.RUNNING and now - self._told_at >= _PROGRESS_SECONDS:
            # Nobody waits for the volume on that account.
            told, number = [*meeting.attempts[:-1], meeting.own[-1]], self._record.next()
            write = partial(self._record.write, number, told)
            if self._telling.answer(self._told_at, write) is not None:
                self._told_at = now


class _Record:
    """`attempts.json`, from threads of which one may be late."""

    def __init__(self, file: Path, warn: Callable[[str], None]) -> None:
        self._file, self._warn = file, warn
        self._lock = threading.Lock()
        self._count = self._newest = 0

    def next(self) -> int:
        """Number of what is about to be written; to be called in the order of what is told."""
        self._count += 1
        return self._count

    def write(self, number: int, told: list[Attempt]) -> None:
        """Writes it, unless something newer is there."""
        with self._lock:
            if number < self._newest:
                return
            self._newest = number
            try:
                # The first attempt begins before anything else has made the folder.
                self._file.parent.mkdir(parents=True, exist_ok=True)
                files.write(self._file, History(attempts=told), indent=2)
            except OSError as error:
                self._warn(f"cannot write {self._file}: {error.strerror}")


def _before(file: Path, job_files: JobFiles) -> list[Attempt]:
    """Attempts before; where their file is missing, as many as there are logs."""
    history = files.read(file, History)
    known = list(history.attempts) if history else []
    last = attempts.next_attempt(job_files, 0) - 1
    if last > max((a.number for a in known), default=0):
        known.append(Attempt(number=last, size=0, began=0.0, ended=0.0))
    return known
