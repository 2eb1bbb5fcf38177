"""What can be turned off by environment variables, read when a function is traced."""

import os

FUSED = "KERAS_MULTIWORKER_FUSED"
PATIENCE = "KERAS_MULTIWORKER_PATIENCE_SECONDS"


def fused() -> bool:
    """Whether TensorFlow's fused kernels may stand for compositions of Keras."""
    return os.environ.get(FUSED, "1") != "0"


def patience_seconds() -> float:
    """How long a worker waits for another one to come to the same call; 900 s by default."""
    return float(os.environ.get(PATIENCE, "900"))
