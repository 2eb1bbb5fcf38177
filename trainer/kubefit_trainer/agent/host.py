"""The rendezvous in the agent of worker 0: its state, its lock and its file."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from kubefit.api.contract import JobFiles, RunConfig
from kubefit_trainer import report as files
from kubefit_trainer.agent import attempts, origin
from kubefit_trainer.agent.messages import Directive, Report
from kubefit_trainer.agent.policy import Attempt, History
from kubefit_trainer.agent.rendezvous import Limits, Phase, Rendezvous


class Host:
    """Answers members from any thread."""

    def __init__(
        self, config: RunConfig, job_files: JobFiles, *, warn: Callable[[str], None]
    ) -> None:
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
            attempts=before,
            began=time.monotonic(),
        )
        self._meeting.close_left_open(time.time())
        self._written: list[Attempt] = []

    def reached_at(self, host: str) -> None:
        """Members reach this worker under that address."""
        self._address = host

    def hear(self, report: Report, host: str) -> Directive:
        """Takes in a report that came from that host; says what its member is to do."""
        if report.rank == 0 and self._address:
            host = self._address
        shown = f"[{host}]" if ":" in host else host
        agent = f"{shown}:{self._config.agent_port(report.rank)}"
        with self._lock:
            now, wall = time.monotonic(), time.time()
            meeting = self._meeting
            meeting.hear(report, now=now, wall=wall, address=f"{shown}:{report.port}", agent=agent)
            meeting.look(now=now, wall=wall)
            if meeting.ready(now=now) and self._knows_its_address():
                found = origin.choose(
                    meeting.in_memory(now=now), self._config, self._files, warn=self._warn
                )
                meeting.begin(now=now, wall=wall, origin=found)
            self._write()
            return meeting.directive(report, now=now)

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

    def over(self) -> bool:
        """Whether the job is over and all members know."""
        with self._lock:
            ended = self._meeting.phase in (Phase.FINISHED, Phase.FAILED)
            return ended and self._meeting.all_told(now=time.monotonic())

    def _write(self) -> None:
        if self._meeting.attempts == self._written:
            return
        self._written = list(self._meeting.attempts)
        try:
            files.write(self._file, History(attempts=self._written), indent=2)
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
