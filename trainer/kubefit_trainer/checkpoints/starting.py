"""The beginning of a trainer that keeps snapshots: which one it goes on from, and its signals."""

import os
import shutil
import signal
import sys
from pathlib import Path, PurePosixPath

from kubefit.api.contract import JobFiles, Result, RunConfig
from kubefit.api.names import Env, Phase
from kubefit_trainer import keras_multiworker, report
from kubefit_trainer.callbacks.reporter import Reporter
from kubefit_trainer.checkpoints import of_keras, snapshot, store
from kubefit_trainer.checkpoints.keeper import Keeper
from kubefit_trainer.checkpoints.of_keras import Fits, StoppedError
from kubefit_trainer.checkpoints.snapshot import Snapshot
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.keras_multiworker import asking


def begin(config: RunConfig, reporter: Reporter) -> Fits:
    """Makes every `fit` of this process keep snapshots; all workers must call it.

    Raises:
        ConfigurationError: the snapshot to go on from cannot be read here.

    """
    volume = Path(JobFiles(PurePosixPath(config.job_dir)).checkpoints)
    memory = os.environ.get(Env.SNAPSHOT_DIR)
    keeper = Keeper(
        config.checkpoint,
        memory=Path(memory) if memory else None,
        volume=volume if keras_multiworker.is_chief() else None,
        grace_seconds=config.grace_seconds,
        tell=lambda said: reporter.update(checkpoint=said),
    )
    resume = _resume(config, volume)
    fits = Fits(keeper, reporter, run=config.run, resume=resume, ends=volume)
    of_keras.install(fits)
    signal.signal(signal.SIGTERM, lambda *_: _stop(fits))
    return fits


def _stop(fits: Fits) -> None:
    """All workers keep their state after the next step; outside of training there is none."""
    if fits.current is None or asking.made(asking.Request.STOP):
        raise StoppedError
    asking.make(asking.Request.STOP)


def _resume(config: RunConfig, volume: Path) -> Snapshot | None:
    """The snapshot that all workers go on from: the agent's choice, else the chief's."""
    path = os.environ.get(Env.RESTORE)
    if path is None:
        mine = _newest(config, volume) if keras_multiworker.is_chief() else ""
        path = keras_multiworker.text_from_chief(mine, "the checkpoint to go on from")
    if not path:
        return None
    try:
        return snapshot.read(Path(path))
    except store.DamagedError as error:
        raise ConfigurationError(
            f"the checkpoint that worker {keras_multiworker.rank()} is to go on from: {error}"
        ) from error


def _newest(config: RunConfig, volume: Path) -> str:
    """Path of the newest checkpoint that is to be gone on from; removes those that are not."""
    saved = store.newest(volume, warn=_say)
    if saved is None:
        return ""
    if not _counts(config, saved.path):
        shutil.rmtree(volume, ignore_errors=True)
        return ""
    return str(saved.path)


def _counts(config: RunConfig, path: Path) -> bool:
    run = store.meta_of(path).get("run", "")
    if run == config.run:
        return True
    files = JobFiles(PurePosixPath(config.job_dir))
    before = report.read(Path(files.result), Result)
    finished = before is not None and before.phase is Phase.SUCCEEDED
    return config.checkpoint.resume and not finished


def _say(message: str) -> None:
    print(f"kubefit: {message}", file=sys.stderr, flush=True)
