"""Number format of the layers: bfloat16 halves memory and is fast where the hardware has it."""

from typing import Any

import keras
import tensorflow as tf

from kubefit.api.recipe import Precision
from kubefit_trainer.keras_multiworker import sums

_FIRST_WITH_BFLOAT16 = (8, 0)
"""CUDA compute capability: NVIDIA Ampere."""


def policy(wanted: Precision) -> keras.dtype_policies.DTypePolicy:
    """The policy for all layers but the last; every worker must call it, and gets the same."""
    if wanted is Precision.AUTO:
        slow = sums.any_worker(not _has_bfloat16(tf.config.list_physical_devices("GPU")))
        wanted = Precision.FLOAT32 if slow else Precision.BFLOAT16
    name = wanted.value if wanted is Precision.FLOAT32 else f"mixed_{wanted.value}"
    return keras.dtype_policies.DTypePolicy(name)


def _has_bfloat16(gpus: list[Any]) -> bool:
    """Whether this worker computes on GPUs that all have bfloat16."""
    capabilities = [
        tf.config.experimental.get_device_details(gpu).get("compute_capability") for gpu in gpus
    ]
    return bool(gpus) and all(found and found >= _FIRST_WITH_BFLOAT16 for found in capabilities)
