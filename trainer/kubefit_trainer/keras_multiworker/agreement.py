"""What the workers' data must agree about at every step, and what is said where they do not."""

from typing import Any

import tensorflow as tf

from kubefit_trainer.keras_multiworker import cluster
from kubefit_trainer.keras_multiworker.errors import DifferentDataError


def check_batches(signs: Any, strategy: Any) -> None:
    """Raises `DifferentDataError` if some step's global batch differed between workers.

    Args:
        signs: float32 [steps, SIGNS], fingerprints summed over the replicas: plus or minus their
            number where all saw the same batch.
        strategy: the strategy of those replicas.

    """
    replicas = strategy.num_replicas_in_sync
    if bool(tf.reduce_any(tf.abs(signs) < replicas - 0.5)):
        raise DifferentDataError(
            "the workers drew different global batches from what must be the same data; seed "
            "every shuffle and random choice of the input (or let each worker cut its own rows "
            "with strategy.distribute_datasets_from_function)"
        )


def check_more(more: float, total: Any, strategy: Any) -> None:
    """Raises `DifferentDataError` if the data of some worker end here and of others do not.

    `more` is 1 if this worker has another batch and `total` the sum of that over the replicas.
    """
    if abs(float(total) - more * strategy.num_replicas_in_sync) < 0.5:
        return
    mine, others = ("go on", "have ended") if more else ("have ended", "go on")
    raise DifferentDataError(
        f"the data of worker {cluster.member().rank} {mine} where those of another worker "
        f"{others}; all workers must draw the same number of batches"
    )
