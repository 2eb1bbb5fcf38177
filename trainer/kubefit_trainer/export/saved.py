"""Writes a trained model as `.keras` and as SavedModel, and reloads the latter to compare it.

Only the chief calls this; nothing here takes part in a collective.
"""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

MODEL_FILE = "model.keras"
LABELS_FILE = "labels.json"
SAVED_MODEL = Path("saved_model") / "1"
"""Numbered as TensorFlow Serving and KServe expect it."""

_RTOL = 1e-4
_ATOL = 1e-6


class ExportError(Exception):
    """The exported model does not do what the trained one does."""


def save(
    model: keras.Model, folder: Path, *, classes: list[str], samples: NDArray[np.float32]
) -> None:
    """Writes model, SavedModel and class names below `folder`; each appears whole or not at all.

    `samples` are inputs of the model, shape (n, ...), on which both must agree.

    Raises:
        ExportError: the reloaded SavedModel predicts something else than the model.

    """
    folder.mkdir(parents=True, exist_ok=True)
    expected = np.asarray(model(samples, training=False))
    partial = folder / f".partial-{MODEL_FILE}"
    model.save(partial)
    partial.replace(folder / MODEL_FILE)
    _save_saved_model(model, folder / SAVED_MODEL, samples=samples, expected=expected)
    labels = folder / f".partial-{LABELS_FILE}"
    labels.write_text(json.dumps(classes, indent=2) + "\n", encoding="utf-8")
    labels.replace(folder / LABELS_FILE)


def _save_saved_model(
    model: keras.Model,
    target: Path,
    *,
    samples: NDArray[np.float32],
    expected: NDArray[np.float32],
) -> None:
    partial = target.with_name(f".partial-{target.name}")
    shutil.rmtree(partial, ignore_errors=True)
    model.export(partial, format="tf_saved_model", verbose=False)
    compare(partial, samples=samples, expected=expected)
    if target.exists():
        shutil.rmtree(target)
    partial.rename(target)


def compare(
    saved_model: Path, *, samples: NDArray[np.float32], expected: NDArray[np.float32]
) -> None:
    """Reloads a SavedModel and compares what it predicts.

    Raises:
        ExportError: a prediction differs by more than 1e-4 relative.

    """
    reloaded = tf.saved_model.load(str(saved_model))
    found = np.asarray(reloaded.serve(tf.constant(samples)))
    difference = np.abs(found - expected) - _RTOL * np.abs(expected)
    if found.shape != expected.shape or difference.max() > _ATOL:
        raise ExportError(
            f"{saved_model}: the reloaded SavedModel predicts something else than the trained"
            f" model (largest difference {np.abs(found - expected).max():.3g})"
        )
