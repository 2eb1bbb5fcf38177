"""Which pairs of Keras and TensorFlow are supported; any other is refused with one line."""

import os

from kubefit_trainer.keras_multiworker.errors import UnsupportedVersionError

SUPPORTED: tuple[tuple[str, str], ...] = (("3.15", "2.21"), ("3.14", "2.21"))
"""Pairs of (Keras, TensorFlow), major and minor version, that the tests run against."""

OVERRIDE = "KERAS_MULTIWORKER_ANY_VERSION"
"""Environment variable; `1` lets an unlisted pair through to the checks of the patches."""


def check(keras_version: str, tensorflow_version: str) -> None:
    """Raises `UnsupportedVersionError` for a pair that is not supported and not overridden."""
    pair = (_minor(keras_version), _minor(tensorflow_version))
    if pair in SUPPORTED or os.environ.get(OVERRIDE) == "1":
        return
    table = ", ".join(f"Keras {keras} with TensorFlow {tf}" for keras, tf in SUPPORTED)
    raise UnsupportedVersionError(
        f"Keras {keras_version} with TensorFlow {tensorflow_version} is not supported on several "
        f"workers; install {table}, or set {OVERRIDE}=1 to try"
    )


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
