"""Trainers that are forked from a process that has imported TensorFlow: the agent's side."""

import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import IO

READY = 1
"""Told by the process when everything is imported."""
LENGTH = struct.Struct("!I")
"""Of an order, comes before it."""
_FORK_SECONDS = 5.0


class Spare:
    """A process that imports what training needs, and is forked for every trainer from then on."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "kubefit_trainer.standby"],
                # A process that has threads cannot be forked safely; this library starts some.
                env={**environment, "OPENBLAS_NUM_THREADS": "1"},
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._unread = b""
        self._ready = False

    def ready(self) -> bool:
        """Whether it has imported everything and can be forked now."""
        if not self._ready:
            self._ready = self._hear(0.0) == [READY]
        return self._ready and not self.ended()

    def ended(self) -> bool:
        """Whether it can be forked no more."""
        return self._process.poll() is not None

    def fork(self, environment: Mapping[str, str], lifeline: int) -> "Forked | None":
        """A trainer in that environment, which holds a copy of `lifeline`; None if it is gone."""
        reading, writing = os.pipe()
        try:
            order = json.dumps(dict(environment)).encode()
            with contextlib.suppress(OSError):
                socket.send_fds(self._channel, [LENGTH.pack(len(order))], [writing, lifeline])
                self._channel.sendall(order)
        finally:
            os.close(writing)
        heard = self._hear(_FORK_SECONDS)
        if heard is None or len(heard) != 1:
            os.close(reading)
            self.end()
            return None
        return Forked(heard[0], os.fdopen(reading, "rb"), self)

    def end_of(self, pid: int, timeout: float) -> int | None:
        """Return code of a process that was forked; None if it runs."""
        heard = self._hear(timeout)
        if heard is not None and heard[0] == pid:
            return heard[1]
        if not self.ended():
            return None
        # Nobody can tell any more how it ends.
        print("kubefit: the warm spare is gone, and its trainer with it", file=sys.stderr)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        return -signal.SIGKILL

    def end(self) -> None:
        """Ends it; trainers have lifelines of their own."""
        self._process.kill()
        self._process.wait()
        self._channel.close()

    def _hear(self, timeout: float) -> list[int] | None:
        """The numbers of the next line that it says; None if there is none in so many seconds."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._unread:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self._channel], [], [], left)[0]:
                return None
            try:
                got = self._channel.recv(4096)
            except OSError:
                got = b""
            if not got:
                # It may hang in its own end.
                self._process.kill()
                self._process.wait()
                return None
            self._unread += got
        line, _, self._unread = self._unread.partition(b"\n")
        return [int(word) for word in line.split()]


class Forked:
    """A trainer that was forked; what `subprocess.Popen` offers of one that was started."""

    def __init__(self, pid: int, stdout: IO[bytes], spare: Spare) -> None:
        self.pid, self.stdout = pid, stdout
        self._spare = spare
        self._code: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """The return code.

        Raises:
            subprocess.TimeoutExpired: it runs after so many seconds.

        """
        seconds = timeout or 0.0
        if self._code is None:
            self._code = self._spare.end_of(self.pid, seconds)
        if self._code is None:
            raise subprocess.TimeoutExpired("trainer", seconds)
        return self._code
