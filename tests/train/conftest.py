"""Groups of real TensorFlow processes for the tests of training.

`worker_group(file, workers=N)` starts N processes that meet as one cluster, runs every function
named `scenario_*` of the file in each, in order, and returns what they returned, by rank.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import debian
import pytest
from workers import (
    GRACE_SECONDS,
    HERE,
    REPOSITORY,
    SOURCES,
    GroupFailedError,
    Process,
    Zygote,
    output_of,
    results_of,
    started,
    wait_for_workers,
    worker_environment,
)

from kubefit.client.gang import free_ports

REQUIREMENTS = REPOSITORY / "requirements"
Start = Callable[..., list[Process]]


@pytest.fixture(scope="session")
def start_workers() -> Iterator[Start]:
    """Starts one process per rank; its output goes to `worker-<rank>.log` in the directory.

    They are forked from one that has imported TensorFlow; with other packages they import it
    themselves.
    """
    zygotes: dict[int, Zygote] = {}

    def start(
        command: Sequence[str], directory: Path, *, workers: int, env: dict[str, str] | None = None
    ) -> list[Process]:
        ports = free_ports(workers)
        processes: list[Process] = []
        for rank in range(workers):
            environment = worker_environment(ports, rank, env or {})
            log = directory / f"worker-{rank}.log"
            if "PYTHONPATH" in (env or {}):
                processes.append(started(command, environment, directory, log))
                continue
            log.touch()
            zygote = zygotes.get(rank) or zygotes.setdefault(rank, Zygote())
            processes.append(zygote.start(command, environment, directory, log))
        return processes

    yield start
    for zygote in zygotes.values():
        zygote.close()


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
def worker_group(start_workers: Start) -> Callable[..., list[dict[str, Any]]]:
    """Runs a file of scenarios on N workers; results by rank, then by scenario. Runs once."""
    done: dict[Any, list[dict[str, Any]] | GroupFailedError] = {}

    def run(
        scenarios: Path | str, *, workers: int, only: str = "", env: dict[str, str] | None = None
    ) -> list[dict[str, Any]]:
        key = (str(scenarios), workers, only, tuple(sorted((env or {}).items())))
        if key not in done:
            with tempfile.TemporaryDirectory(prefix="worker-group-") as directory:
                try:
                    done[key] = _run_group(
                        start_workers, Path(scenarios), Path(directory), workers, only, env
                    )
                except GroupFailedError as error:
                    done[key] = error
        outcome = done[key]
        if isinstance(outcome, GroupFailedError):
            raise outcome
        return outcome

    return run


@pytest.fixture
def failing_group(
    start_workers: Start, tmp_path: Path
) -> Callable[..., tuple[list[int | None], list[str]]]:
    """Runs one scenario that must fail; exit codes and outputs by rank."""

    def run(
        scenarios: Path,
        *,
        workers: int,
        only: str,
        env: dict[str, str] | None = None,
        grace_seconds: float = GRACE_SECONDS,
    ) -> tuple[list[int | None], list[str]]:
        command = [str(HERE / "worker_main.py"), str(scenarios), str(tmp_path), only]
        env = {"RAISE": "1", **(env or {})}
        processes = start_workers(command, tmp_path, workers=workers, env=env)
        codes = wait_for_workers(processes, grace_seconds)
        outputs = [
            (tmp_path / f"worker-{rank}.log").read_text(errors="replace") for rank in range(workers)
        ]
        return codes, outputs

    return run


@pytest.fixture
def plain_group(start_workers: Start, tmp_path: Path) -> Callable[..., list[str]]:
    """Runs a program as it is, without repairs; outputs by rank."""

    def run(program: Path, *arguments: str, workers: int = 2) -> list[str]:
        env = {"TMPDIR": str(tmp_path)} | ({} if workers > 1 else {"TF_CONFIG": "{}"})
        command = [str(program), *arguments]
        wait_for_workers(start_workers(command, tmp_path, workers=workers, env=env))
        logs = [tmp_path / f"worker-{rank}.log" for rank in range(workers)]
        return [log.read_text(errors="replace") for log in logs]

    return run


def _run_group(
    start_workers: Start,
    scenarios: Path,
    directory: Path,
    workers: int,
    only: str,
    env: dict[str, str] | None,
) -> list[dict[str, Any]]:
    command = [str(HERE / "worker_main.py"), str(scenarios), str(directory), only]
    try:
        processes = start_workers(command, directory, workers=workers, env=env)
        codes = wait_for_workers(processes)
    except BaseException as error:
        error.add_note(output_of(directory, workers))
        raise
    return results_of(directory, codes, scenarios.name)


@pytest.fixture(scope="session")
def announcements(request: pytest.FixtureRequest) -> list[Path]:
    """Packages with recorded announcements, one for each language."""
    folder = request.config.cache.mkdir("recordings")
    return [debian.recordings(language, folder) for language in debian.ANNOUNCEMENTS]
