"""The two Keras that a worker can run, and what the launcher needs of each.

Importing this imports neither; `load` imports the one that is asked for, never both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Protocol

from kubefit.api.contract import ExitCode, RunConfig
from kubefit.api.v1alpha1 import Runtime
from kubefit_trainer.callbacks.reporter import Reporter
from kubefit_trainer.which_keras import WrongKerasError


class _Install(Protocol):
    def __call__(self, reporter: Any, *, workers: int, inspection: Any) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """One Keras with its library for many workers, imported."""

    package: str
    """Name of its distribution."""
    strategy: Callable[[], Any]
    """Meets the peers; to be called before TensorFlow runs anything."""
    met: Callable[[], bool]
    """Whether the peers have been met."""
    finish: Callable[[float], None]
    """Waits for all workers, so many seconds at most."""
    stop: Callable[[float], None]
    """Waits for those that stop in the midst of the program too, so many seconds at most."""
    is_chief: Callable[[], bool]
    report_progress: _Install
    """Adds reports, and what is asked of TensorBoard, to all that this Keras does from now on."""
    keep_snapshots: Callable[[RunConfig, Reporter], Any] | None
    """Makes training outlive this process; None where this Keras cannot."""
    anew: str
    """What is said when a program begins anew after a restart, and what there is to do."""
    explained: Mapping[type[BaseException], ExitCode]
    """Errors whose message is a whole sentence, and what they mean."""

    def versions(self) -> dict[str, str]:
        """Versions of what trains."""
        import tensorflow as tf

        names = (self.package, "numpy")
        return {"tensorflow": tf.__version__, **{name: metadata.version(name) for name in names}}


def load(runtime: Runtime) -> Loaded:
    """Imports TensorFlow and the Keras of that runtime."""
    return _tf_keras() if runtime is Runtime.TF_KERAS else _keras()


def _keras() -> Loaded:
    from kubefit_trainer import keras_multiworker
    from kubefit_trainer.callbacks import of_keras
    from kubefit_trainer.checkpoints import starting
    from kubefit_trainer.checkpoints.followed_fit import StoppedError
    from kubefit_trainer.keras_multiworker import cluster, setup

    return Loaded(
        package="keras",
        strategy=keras_multiworker.strategy,
        met=lambda: cluster.current() is not None,
        finish=keras_multiworker.finish,
        stop=setup.stop,
        is_chief=keras_multiworker.is_chief,
        report_progress=of_keras.install,
        keep_snapshots=starting.begin,
        anew=(
            "nothing was kept before this restart, and the program begins anew: calls of fit keep"
            " their state, and a loop of the program's own around train_on_batch has to save and"
            " load what it goes on from"
        ),
        explained={
            StoppedError: ExitCode.PREEMPTED,
            WrongKerasError: ExitCode.USER_ERROR,
            keras_multiworker.PeerFailedError: ExitCode.PEER_LOST,
            keras_multiworker.WorkerLostError: ExitCode.PEER_LOST,
            keras_multiworker.MultiWorkerError: ExitCode.USER_ERROR,
        },
    )


def _tf_keras() -> Loaded:
    from kubefit_trainer import tf_keras_multiworker
    from kubefit_trainer.callbacks import of_tf_keras

    return Loaded(
        package="tf_keras",
        strategy=tf_keras_multiworker.strategy,
        met=lambda: tf_keras_multiworker.current() is not None,
        finish=tf_keras_multiworker.finish,
        stop=tf_keras_multiworker.finish,
        is_chief=tf_keras_multiworker.is_chief,
        report_progress=of_tf_keras.install,
        keep_snapshots=None,
        anew=(
            "the program begins anew after this restart, as those of the runtime tf-keras do; with"
            " the callback BackupAndRestore and a folder on the volume, fit goes on at its epoch"
        ),
        explained={
            WrongKerasError: ExitCode.USER_ERROR,
            tf_keras_multiworker.SavingFailedError: ExitCode.PEER_LOST,
        },
    )
