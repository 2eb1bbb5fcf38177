"""Keras 2 (tf_keras) on many workers: what MultiWorkerMirroredStrategy leaves to its programs.

tf_keras trains under the strategy by itself and needs no repair. This package adds what a program
for one machine does not know of: one strategy a process, one seed of all workers, one writer a
file, statistics of all workers in what is evaluated and saved, and an end in common.
Stands alone: TensorFlow, tf_keras and the standard library.
"""

from kubefit_trainer.tf_keras_multiworker.cluster import current, finish, is_chief
from kubefit_trainer.tf_keras_multiworker.saving import SavingFailedError
from kubefit_trainer.tf_keras_multiworker.setup import strategy

__all__ = ["SavingFailedError", "current", "finish", "is_chief", "strategy"]
