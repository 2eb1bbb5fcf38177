"""Start of a program: the strategy, and once in a process all that goes with it."""

from typing import Any

from kubefit_trainer.tf_keras_multiworker import callbacks, cluster, saving, seeds, stopping


def strategy() -> Any:
    """Meets the peers of TF_CONFIG and returns the strategy of this process.

    The first call must come before TensorFlow runs any operation.
    """
    if cluster.current() is None:
        cluster.meet()
        seeds.install()
        saving.install()
        callbacks.install()
        stopping.install()
    return cluster.current()
