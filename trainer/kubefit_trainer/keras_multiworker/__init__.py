"""Keras 3 on many workers: `fit` under MultiWorkerMirroredStrategy with the numbers of one.

Stands alone: TensorFlow, Keras, NumPy and the standard library. A program calls `start()` before it
runs anything of TensorFlow, and then is a plain Keras program::

    from kubefit_trainer import keras_multiworker

    with keras_multiworker.start():
        model = keras.Sequential([...])
        model.compile(...)
        model.fit(...)

Every process of the cluster runs the same program with its own TF_CONFIG.
"""

from kubefit_trainer.keras_multiworker.batch_norm import sync_batch_norm
from kubefit_trainer.keras_multiworker.broadcast import (
    text_from_chief,
    texts_of_all,
    weights_from_chief,
)
from kubefit_trainer.keras_multiworker.cluster import outside_strategy
from kubefit_trainer.keras_multiworker.errors import (
    DifferentDataError,
    DifferentProgramError,
    MultiWorkerError,
    PeerFailedError,
    UnsupportedProgramError,
    UnsupportedVersionError,
    WorkerLostError,
)
from kubefit_trainer.keras_multiworker.failures import explain
from kubefit_trainer.keras_multiworker.positions import first_step
from kubefit_trainer.keras_multiworker.setup import (
    barrier,
    finish,
    install,
    is_chief,
    rank,
    start,
    strategy,
    workers,
)

__all__ = [
    "DifferentDataError",
    "DifferentProgramError",
    "MultiWorkerError",
    "PeerFailedError",
    "UnsupportedProgramError",
    "UnsupportedVersionError",
    "WorkerLostError",
    "barrier",
    "explain",
    "finish",
    "first_step",
    "install",
    "is_chief",
    "outside_strategy",
    "rank",
    "start",
    "strategy",
    "sync_batch_norm",
    "text_from_chief",
    "texts_of_all",
    "weights_from_chief",
    "workers",
]
