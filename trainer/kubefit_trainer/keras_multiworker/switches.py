"""What can be turned off by environment variables, read when a function is traced."""

import os

FUSED = "KERAS_MULTIWORKER_FUSED"


def fused() -> bool:
    """Whether TensorFlow's fused kernels may stand for compositions of Keras."""
    return os.environ.get(FUSED, "1") != "0"
