"""A program that is interrupted and started again, as agents do it, until it ends.

Its processes are forked, which takes a moment where a whole job takes half a minute.
"""

import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers import DEADLINE_SECONDS, HERE, Process

from kubefit.api.checkpoint import Checkpoint
from kubefit.api.contract import ExitCode, RunConfig
from kubefit.api.names import Env
from kubefit.api.v1alpha1 import Runtime, Script
from kubefit_trainer.checkpoints import store

_MOST = 20
Start = Callable[..., list[Process]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What came of it."""

    result: Any
    """What the chief printed behind `RESULT`, from JSON."""
    lives: int
    """How often it was started."""
    said: str
    """All output of the chief."""


def live(
    start: Start,
    folder: Path,
    program: str,
    *args: str,
    workers: int = 1,
    runtime: Runtime = Runtime.KERAS,
    **checkpoint: Any,
) -> Ended:
    """Starts it with these arguments, and again whenever it was killed or told to stop."""
    (folder / "program.py").write_text(program)
    config = RunConfig(
        namespace="ml",
        name="lives",
        workers=workers,
        hosts="localhost",
        volume_dir=str(folder),
        job_dir=str(folder / "job"),
        checkpoint=Checkpoint(**{"memory_every_steps": 1, **checkpoint}),
        script=Script(volume_path="program.py", args=list(args), runtime=runtime),
    )
    (folder / "run.json").write_text(config.model_dump_json(by_alias=True))
    said = ""
    for number in range(1, _MOST):
        codes, output = _one_life(start, folder, number, workers)
        said += output
        if all(code == 0 for code in codes):
            (result,) = [line for line in said.splitlines() if line.startswith("RESULT ")]
            return Ended(result=json.loads(result.partition(" ")[2]), lives=number, said=said)
        interrupted = -signal.SIGKILL in codes or set(codes) == {ExitCode.PREEMPTED}
        assert interrupted, f"{codes}: {said}"
    raise AssertionError(f"still interrupted in life {_MOST}: {said}")


def _one_life(
    start: Start, folder: Path, number: int, workers: int
) -> tuple[list[int | None], str]:
    env = {Env.ATTEMPT: str(number)} | _restored(folder, workers)
    command = [str(HERE / "trainer_main.py"), str(folder)]
    processes = start(command, folder, workers=workers, env=env)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (codes := [process.poll() for process in processes]).count(None):
        assert time.monotonic() < deadline
        if -signal.SIGKILL in codes:
            for process in processes:
                process.kill()
        time.sleep(0.02)
    log = folder / "worker-0.log"
    said = log.read_text(errors="replace")
    log.unlink()
    return codes, said


def _restored(folder: Path, workers: int) -> dict[str, str]:
    """The newest snapshot that all workers have, which has one name on all."""
    memories = [folder / f"worker-{rank}" / "memory" for rank in range(workers)]
    held = [{saved.path.name: saved for saved in store.found(memory)} for memory in memories]
    common = set.intersection(*map(set, held))
    if not common:
        return {}
    newest = max(held[0][name] for name in common)
    for memory in memories:
        for saved in store.found(memory):
            if saved.step > newest.step:
                saved.path.unlink()
    return {Env.RESTORE: str(newest.path)}
