"""The beginning of a trainer that keeps snapshots: which one it goes on from, and its signals."""

import os
import signal
from pathlib import Path, PurePosixPath

from kubefit.api.contract import JobFiles, RunConfig
from kubefit.api.names import Env
from kubefit_trainer import keras_multiworker
from kubefit_trainer.callbacks.reporter import Reporter
from kubefit_trainer.checkpoints import of_keras, snapshot, store
from kubefit_trainer.checkpoints.fits import Fits
from kubefit_trainer.checkpoints.initial import Initial
from kubefit_trainer.checkpoints.keeper import Keeper
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
    resume = _resume()
    # What was reached once does not depend any more on what it was reached from.
    initial = Initial(config if resume is None else None, given=keeper.soon)
    fits = Fits(keeper, reporter, run=config.run, resume=resume, ends=volume, initial=initial)
    of_keras.install(fits)
    process = os.getpid()
    signal.signal(signal.SIGTERM, lambda *_: _stop(fits, process))
    return fits


def _stop(fits: Fits, process: int) -> None:
    """All workers keep their state after the next step; outside of training there is none."""
    if os.getpid() != process:
        # A process that the program has forked ends as any other does.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    elif fits.current is None or asking.made(asking.Request.STOP):
        fits.stop()
    else:
        asking.make(asking.Request.STOP)


def _resume() -> Snapshot | None:
    """The snapshot that all workers go on from, as their agents have agreed."""
    path = os.environ.get(Env.RESTORE)
    if not path:
        return None
    try:
        return snapshot.read(Path(path))
    except store.DamagedError as error:
        raise ConfigurationError(
            f"the checkpoint that worker {keras_multiworker.rank()} is to go on from: {error}"
        ) from error
