"""Workers of a test as processes: forked from one that has TensorFlow imported, or started anew."""

import json
import os
import pickle
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
SOURCES = (str(REPOSITORY / "trainer"), str(REPOSITORY / "operator"))
DEADLINE_SECONDS = 600.0
GRACE_SECONDS = 20.0


class GroupFailedError(AssertionError):
    """A worker failed; the message has the end of every worker's output."""


def tf_config(ports: Sequence[int], rank: int) -> str:
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    return json.dumps({"cluster": cluster, "task": {"type": "worker", "index": rank}})


def worker_environment(ports: Sequence[int], rank: int, extra: dict[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(SOURCES),
        "PYTHONFAULTHANDLER": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "2",
        "TF_CONFIG": tf_config(ports, rank),
        **extra,
    }


class Forked:
    """A worker that a zygote has forked; the part of `subprocess.Popen` that is needed here."""

    def __init__(self, zygote: "Zygote", pid: int) -> None:
        self._zygote, self._pid = zygote, pid

    def poll(self) -> int | None:
        self._zygote.read(0)
        return self._zygote.ended.get(self._pid)

    def wait(self, timeout: float = DEADLINE_SECONDS) -> int:
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("worker", timeout)
            self._zygote.read(max(0.0, deadline - time.monotonic()))
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self._pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Zygote:
    """One process of `zygote.py`: starts workers and knows how they have ended."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "zygote.py")],
            # NumPy's threads could not be forked.
            env=worker_environment([], 0, {"OPENBLAS_NUM_THREADS": "1"}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._pids: list[int] = []
        self._rest = b""
        self.ended: dict[int, int] = {}

    def start(self, command: Sequence[str], env: dict[str, str], cwd: Path, log: Path) -> Forked:
        order = {"command": command, "env": env, "cwd": str(cwd), "log": str(log)}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        while not self._pids:
            self.read(DEADLINE_SECONDS)
        return Forked(self, self._pids.pop())

    def read(self, timeout: float) -> None:
        """Takes what the zygote has said, waiting so long for a first word."""
        output = self._process.stdout.fileno()
        while select.select([output], [], [], timeout)[0]:
            said = os.read(output, 4096)
            assert said, "the zygote has ended"
            *lines, self._rest = (self._rest + said).split(b"\n")
            for pid, *code in (map(int, line.split()) for line in lines):
                if code:
                    self.ended[pid] = code[0]
                else:
                    # The kernel gives a number out again.
                    self.ended.pop(pid, None)
                    self._pids.append(pid)
            timeout = 0

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


Process = Forked | subprocess.Popen[bytes]


def started(
    command: Sequence[str], environment: dict[str, str], directory: Path, log: Path
) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, *command],
            env=environment,
            cwd=directory,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )


def wait_for_workers(
    processes: list[Process], grace_seconds: float = GRACE_SECONDS
) -> list[int | None]:
    """Waits for all; once one has failed the others get some seconds. Returns exit codes."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    try:
        while any(process.poll() is None for process in processes):
            if any(process.poll() for process in processes):
                deadline = min(deadline, time.monotonic() + grace_seconds)
            if time.monotonic() > deadline:
                break
            for process in processes:
                try:
                    process.wait(timeout=0.1)
                except subprocess.TimeoutExpired:
                    continue
        return [process.poll() for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                # With PYTHONFAULTHANDLER this leaves the stacks of all threads in its output.
                process.send_signal(signal.SIGABRT)
                process.send_signal(signal.SIGCONT)
        for process in processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def output_of(directory: Path, workers: int, limit: int = 6000) -> str:
    parts = []
    for rank in range(workers):
        log = directory / f"worker-{rank}.log"
        text = log.read_text(errors="replace") if log.exists() else "(was not started)"
        parts.append(f"----- worker {rank}\n{text[-limit:]}")
    return "\n".join(parts)


def results_of(directory: Path, codes: Sequence[int | None], name: str) -> list[dict[str, Any]]:
    """What the workers of a group have returned, by rank; `name` is that of their scenarios."""
    files = [directory / f"result-{rank}.pickle" for rank in range(len(codes))]
    if any(codes) or None in codes or not all(file.exists() for file in files):
        raise GroupFailedError(
            f"{name} on {len(codes)} workers: exit codes {list(codes)}\n"
            + output_of(directory, len(codes))
        )
    return [pickle.loads(file.read_bytes()) for file in files]
