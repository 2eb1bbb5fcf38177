"""Formats of exported models: their files, what writes and reads them, how near they must come.

Imports nothing heavy.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from kubefit.api.base import Model
from kubefit.api.contract import MODEL_FILE
from kubefit.api.recipe import ExportFormat

LABELS_FILE = "labels.json"
SAVED_MODEL = Path("saved_model") / "1"
"""Numbered as TensorFlow Serving and KServe expect it."""
FILES: dict[ExportFormat, Path] = {
    ExportFormat.KERAS: Path(MODEL_FILE),
    ExportFormat.SAVED_MODEL: SAVED_MODEL,
    ExportFormat.LITERT: Path("model.tflite"),
    ExportFormat.ONNX: Path("model.onnx"),
}
"""Below the folder of exports."""
_PACKAGES: dict[ExportFormat, dict[str, str]] = {
    ExportFormat.LITERT: {"ai_edge_litert": "ai-edge-litert"},
    ExportFormat.ONNX: {"onnx": "onnx", "tf2onnx": "tf2onnx", "onnxruntime": "onnxruntime"},
}
"""What TensorFlow does not bring: names to import and to install."""
TOLERANCES: dict[ExportFormat, tuple[float, float]] = {
    ExportFormat.KERAS: (1e-4, 1e-6),
    ExportFormat.SAVED_MODEL: (1e-4, 1e-6),
    ExportFormat.LITERT: (1e-3, 1e-4),
    ExportFormat.ONNX: (1e-3, 1e-4),
}
"""Largest difference of an answer, relative and absolute; other runtimes sum in another order."""


class Exported(Model):
    """What became of one format."""

    format: ExportFormat
    path: str
    """Below the folder of exports."""
    size: int = 0
    """Bytes of all its files."""
    difference: float | None = None
    """Largest difference of its answers from those of the trained model; None if not compared."""
    problem: str = ""
    """Why it is not there, or was not compared; empty if all is well."""


def lacking(formats: Sequence[ExportFormat]) -> dict[ExportFormat, list[str]]:
    """Packages, as they are installed, that formats need and this Python does not have."""
    found = {
        one: [
            package
            for module, package in _PACKAGES.get(one, {}).items()
            if importlib.util.find_spec(module) is None
        ]
        for one in formats
    }
    return {one: packages for one, packages in found.items() if packages}


def lacks(one: ExportFormat, packages: Sequence[str]) -> str:
    """The sentence about a format that needs packages which are not there."""
    return (
        f"spec.recipe.export.formats: there will be no {one}, as the image has no"
        f" {' and no '.join(packages)}; build one that has the packages of the extra `export`, as"
        " docs/how-to/export-and-serve.md shows"
    )


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files of a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
