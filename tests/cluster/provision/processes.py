"""Starts programs that outlive this one, and ends them again by what was written down of them."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from places import LOGS, STATE

RECORDS = STATE / "processes"


def start(
    name: str, command: Sequence[object], environment: Mapping[str, str] | None = None
) -> None:
    """Starts a program in a session of its own, its output in `LOGS/name.log`."""
    LOGS.mkdir(parents=True, exist_ok=True)
    RECORDS.mkdir(parents=True, exist_ok=True)
    with (LOGS / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=os.environ | dict(environment or {}),
            cwd="/",
        )
    record = {"pid": process.pid, "started": started(process.pid)}
    (RECORDS / f"{name}.json").write_text(json.dumps(record))


def started(pid: int) -> str | None:
    """Start time of a process in clock ticks since boot; None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def running(name: str) -> bool:
    """Whether the program of that name still runs; a stale record of an earlier boot says no."""
    return _recorded_pid(name) is not None


def _recorded_pid(name: str) -> int | None:
    try:
        record = json.loads((RECORDS / f"{name}.json").read_text())
    except FileNotFoundError:
        return None
    alive = started(record["pid"])
    return record["pid"] if alive is not None and alive == record["started"] else None


def stop(name: str, patience: float = 20.0) -> None:
    """Ends a program: SIGTERM, then SIGKILL after `patience` seconds; waits until it is gone."""
    pid = _recorded_pid(name)
    if pid is None:
        return
    for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 10.0)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        if wait_until(lambda: _recorded_pid(name) is None, seconds):
            return
    raise SystemExit(f"{name} (process {pid}) does not end")


def wait_until(condition: Callable[[], bool], seconds: float, every: float = 0.1) -> bool:
    """Polls until the condition holds; False when it did not in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(every)
    return condition()


def await_or_explain(condition: Callable[[], bool], seconds: float, what: str, log: str) -> None:
    """Polls until the condition holds, or ends with what was awaited and the log's last lines."""
    if not wait_until(condition, seconds):
        path = LOGS / f"{log}.log"
        tail = (
            "\n".join(path.read_text(errors="replace").splitlines()[-15:]) if path.exists() else ""
        )
        raise SystemExit(f"{what} did not come within {seconds:.0f} s; {path} ends:\n{tail}")
