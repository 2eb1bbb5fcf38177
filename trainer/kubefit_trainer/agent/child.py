"""The TensorFlow process: starts it, copies its output by lines, stops it, waits for its end."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from kubefit.api.names import Env
from kubefit_trainer.agent.lines import LINES
from kubefit_trainer.agent.spare import Forked, Spare

Log = IO[bytes]
_LONGEST_LINE = 65536
_KEPT_LINES = 40


class Trainer:
    """One trainer, the leader of its own session; to be started by the agent's main thread."""

    def __init__(
        self, environment: Mapping[str, str], *, log: IO[bytes], spare: Spare | None = None
    ) -> None:
        reading, writing = os.pipe()
        self._lifeline: int | None = writing
        forked = spare.fork(environment, reading) if spare and spare.ready() else None
        if forked is None and spare is not None:
            # A fork that comes too late must not live on: its lifeline is cut.
            os.close(reading)
            os.close(writing)
            reading, writing = os.pipe()
            self._lifeline = writing
        self._process: subprocess.Popen[bytes] | Forked = forked or _launch(environment, reading)
        os.close(reading)
        self._log = log
        self._stop_at: float | None = None
        self.output: deque[str] = deque(maxlen=_KEPT_LINES)
        self._copier = threading.Thread(target=self._copy, name="output", daemon=True)
        self._copier.start()

    @property
    def pid(self) -> int:
        """Process id of the trainer."""
        return self._process.pid

    def stop(self, grace_seconds: float) -> None:
        """Asks the trainer to end, and kills it when the grace is over; the second call at once."""
        if self._stop_at is None:
            self._stop_at = time.monotonic() + grace_seconds
            # Its children are its own to end: the step it keeps its state after may need them.
            self._signal(signal.SIGTERM, group=False)
        else:
            self.kill()

    def kill(self) -> None:
        """Ends the trainer at once."""
        self._stop_at = time.monotonic()
        self._signal(signal.SIGKILL)

    def dump(self) -> None:
        """Has the trainer write the stacks of all its threads to its log."""
        self._signal(signal.SIGUSR1, group=False)

    def is_stopped(self) -> bool:
        """Whether a signal keeps the trainer from running."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
        except OSError:
            return False
        return stat.rpartition(")")[2].split()[0] in ("T", "t")

    def ended(self, timeout: float) -> int | None:
        """The return code, after everything the trainer wrote has been copied; None if it runs."""
        if self._stop_at is not None and time.monotonic() > self._stop_at:
            self._signal(signal.SIGKILL)
        try:
            code = self._process.wait(timeout=timeout)
        except subprocess.TimeoutExpired:
            return None
        # Processes that the program left behind hold the output open, and the accelerator.
        self._signal(signal.SIGKILL)
        self._copier.join(timeout=5)
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        return code

    def _signal(self, number: int, *, group: bool = True) -> None:
        try:
            (os.killpg if group else os.kill)(self._process.pid, number)
        except ProcessLookupError:
            return

    def _copy(self) -> None:
        stream = self._process.stdout
        if stream is None:
            return
        for line in iter(lambda: stream.readline(_LONGEST_LINE), b""):
            self.output.append(line.decode(errors="replace").rstrip("\n"))
            # The file stays as the program wrote it, for people who read it there.
            _write(self._log, line)
            _write(sys.stdout.buffer, LINES.of_trainer(line))


def _launch(environment: Mapping[str, str], lifeline: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "kubefit_trainer.main"],
        env={**environment, Env.LIFELINE: str(lifeline)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[lifeline],
        start_new_session=True,
    )


def _write(target: IO[bytes], line: bytes) -> None:
    try:
        target.write(line)
        target.flush()
    except OSError:
        # A full volume or a closed pipe must not stop the training; the other copy remains.
        return


def open_log(path: Path) -> IO[bytes]:
    """Makes the log file of this attempt.

    Raises:
        OSError: the volume cannot be written.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("wb", buffering=0)
