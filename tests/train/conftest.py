"""Groups of real TensorFlow processes for the tests of training.

`worker_group(file, workers=N)` starts N processes that meet as one cluster, runs every function
named `scenario_*` of the file in each, in order, and returns what they returned, by rank.
"""

import hashlib
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
REQUIREMENTS = REPOSITORY / "requirements"
SOURCES = (str(REPOSITORY / "trainer"), str(REPOSITORY / "operator"))
DEADLINE_SECONDS = 600.0


class GroupFailedError(AssertionError):
    """A worker failed; the message has the end of every worker's output."""


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


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


def start_workers(
    command: Sequence[str], directory: Path, *, workers: int, env: dict[str, str] | None = None
) -> list[subprocess.Popen[bytes]]:
    """Starts one process per rank; its output goes to `worker-<rank>.log` in the directory."""
    ports = free_ports(workers)
    processes = []
    for rank in range(workers):
        with (directory / f"worker-{rank}.log").open("wb") as log:
            processes.append(
                subprocess.Popen(
                    [sys.executable, *command],
                    env=worker_environment(ports, rank, env or {}),
                    cwd=directory,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                )
            )
    return processes


def wait_for_workers(
    processes: list[subprocess.Popen[bytes]], deadline_seconds: float = DEADLINE_SECONDS
) -> list[int | None]:
    """Waits for all; once one has failed the others get some seconds. Returns exit codes."""
    deadline = time.monotonic() + deadline_seconds
    try:
        while any(process.poll() is None for process in processes):
            if any(process.poll() for process in processes):
                deadline = min(deadline, time.monotonic() + 20.0)
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
        for process in processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def output_of(directory: Path, workers: int, limit: int = 6000) -> str:
    parts = []
    for rank in range(workers):
        text = (directory / f"worker-{rank}.log").read_text(errors="replace")
        parts.append(f"----- worker {rank}\n{text[-limit:]}")
    return "\n".join(parts)


@pytest.fixture(scope="session")
def other_keras() -> dict[str, str]:
    """Environment of worker processes that import the second supported Keras."""
    return _with_packages(REQUIREMENTS / "keras-3.14.txt")


@pytest.fixture(scope="session")
def keras_hub() -> dict[str, str]:
    """Environment of worker processes that can import KerasHub."""
    return _with_packages(REQUIREMENTS / "keras-hub.txt")


def _with_packages(lock: Path) -> dict[str, str]:
    """They are installed once for each lock, into a folder of the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kubefit"
    folder = cache / f"{lock.stem}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps"]
            target = ["--target", f"{scratch}/packages", "--require-hashes", "-r", str(lock)]
            subprocess.run([*install, *target], check=True)
            Path(scratch, "packages").rename(folder)
    return {"PYTHONPATH": os.pathsep.join([str(folder), *SOURCES])}


@pytest.fixture(scope="session")
def worker_group() -> Callable[..., list[dict[str, Any]]]:
    """Runs a file of scenarios on N workers; results by rank, then by scenario. Runs once."""
    done: dict[Any, list[dict[str, Any]] | GroupFailedError] = {}

    def run(
        scenarios: Path | str, *, workers: int, only: str = "", env: dict[str, str] | None = None
    ) -> list[dict[str, Any]]:
        key = (str(scenarios), workers, only, tuple(sorted((env or {}).items())))
        if key not in done:
            with tempfile.TemporaryDirectory(prefix="worker-group-") as directory:
                try:
                    done[key] = _run_group(Path(scenarios), Path(directory), workers, only, env)
                except GroupFailedError as error:
                    done[key] = error
        outcome = done[key]
        if isinstance(outcome, GroupFailedError):
            raise outcome
        return outcome

    return run


@pytest.fixture
def failing_group(tmp_path: Path) -> Callable[..., tuple[list[int | None], list[str]]]:
    """Runs one scenario that must fail; exit codes and outputs by rank."""

    def run(
        scenarios: Path, *, workers: int, only: str, env: dict[str, str] | None = None
    ) -> tuple[list[int | None], list[str]]:
        command = [str(HERE / "worker_main.py"), str(scenarios), str(tmp_path), only]
        env = {"RAISE": "1", **(env or {})}
        processes = start_workers(command, tmp_path, workers=workers, env=env)
        codes = wait_for_workers(processes)
        outputs = [
            (tmp_path / f"worker-{rank}.log").read_text(errors="replace") for rank in range(workers)
        ]
        return codes, outputs

    return run


@pytest.fixture
def plain_group(tmp_path: Path) -> Callable[[Path], list[str]]:
    """Runs a program on two workers as it is, without repairs; outputs by rank."""

    def run(program: Path) -> list[str]:
        wait_for_workers(start_workers([str(program)], tmp_path, workers=2))
        return [(tmp_path / f"worker-{rank}.log").read_text(errors="replace") for rank in (0, 1)]

    return run


def _run_group(
    scenarios: Path, directory: Path, workers: int, only: str, env: dict[str, str] | None
) -> list[dict[str, Any]]:
    command = [str(HERE / "worker_main.py"), str(scenarios), str(directory), only]
    codes = wait_for_workers(start_workers(command, directory, workers=workers, env=env))
    if any(code != 0 for code in codes):
        raise GroupFailedError(
            f"{scenarios.name} on {workers} workers: exit codes {codes}\n"
            + output_of(directory, workers)
        )
    return [
        pickle.loads((directory / f"result-{rank}.pickle").read_bytes()) for rank in range(workers)
    ]
