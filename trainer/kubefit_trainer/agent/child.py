"""The TensorFlow process: starts it, copies its output by lines, stops it, waits for its end."""

import contextlib
import json
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

Log = IO[bytes]
_LONGEST_LINE = 65536
_KEPT_LINES = 40


class Spare:
    """A process that has imported TensorFlow and waits to be a trainer."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process, self._lifeline = _launch(
            "kubefit_trainer.standby", environment, stdin=subprocess.PIPE
        )

    def become_trainer(self, environment: Mapping[str, str]) -> "_Launched | None":
        """Has it train in that environment; None if it is dead. To be called once."""
        stdin = self._process.stdin
        if stdin is not None:
            with contextlib.suppress(OSError), stdin:
                stdin.write(json.dumps(dict(environment)).encode() + b"\n")
        if self._process.poll() is None:
            return self._process, self._lifeline
        os.close(self._lifeline)
        return None


class Trainer:
    """One trainer, the leader of its own session; to be started by the agent's main thread."""

    def __init__(
        self, environment: Mapping[str, str], *, log: IO[bytes], spare: Spare | None = None
    ) -> None:
        launched = spare.become_trainer(environment) if spare else None
        launched = launched or _launch("kubefit_trainer.main", environment)
        self._lifeline: int | None = launched[1]
        self._process = launched[0]
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
            self._signal(signal.SIGTERM)
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
            for target in (self._log, sys.stdout.buffer):
                _write(target, line)


_Launched = tuple[subprocess.Popen[bytes], int]
"""A process and this end of its lifeline."""


def _launch(
    module: str, environment: Mapping[str, str], *, stdin: int = subprocess.DEVNULL
) -> _Launched:
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        env={**environment, Env.LIFELINE: str(reading)},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[reading],
        start_new_session=True,
    )
    os.close(reading)
    return process, writing


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
