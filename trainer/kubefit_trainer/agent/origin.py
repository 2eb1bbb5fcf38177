"""What the next generation goes on from: the newest snapshot in memory, or on the volume."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from kubefit.api.contract import JobFiles, Result, RunConfig
from kubefit.api.names import Phase
from kubefit_trainer import report
from kubefit_trainer.agent.rendezvous import Origin
from kubefit_trainer.checkpoints import store


def choose(
    in_memory: Sequence[str],
    config: RunConfig,
    files: JobFiles,
    *,
    warn: Callable[[str], None],
) -> Origin | None:
    """The snapshot to go on from; `in_memory` are names, the best first."""
    volume = on_volume(config, files, warn=warn)
    memory = [saved for name in in_memory if (saved := store.parse(Path(name))) is not None]
    if memory and (volume is None or memory[0].step >= volume.step):
        return Origin(step=memory[0].step, name=in_memory[0])
    return volume


def on_volume(config: RunConfig, files: JobFiles, *, warn: Callable[[str], None]) -> Origin | None:
    """The newest good checkpoint that this run goes on from; others are removed."""
    folder = Path(files.checkpoints)
    saved = store.newest(folder, warn=warn)
    if saved is None:
        return None
    if not _counts(config, files, saved.path):
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return Origin(step=saved.step, name=str(saved.path))


def _counts(config: RunConfig, files: JobFiles, path: Path) -> bool:
    run = str(store.meta_of(path).get("run", ""))
    if run == config.run:
        return True
    return config.checkpoint.resume and not has_succeeded(files, run=run)


def has_succeeded(files: JobFiles, *, run: str) -> bool:
    """Whether that run of the job has told of its success."""
    before = report.read(Path(files.result), Result)
    return before is not None and before.phase is Phase.SUCCEEDED and before.run == run
