"""A process of its own that writes formats out of a SavedModel, and reloads each by its runtime.

`python -m kubefit_trainer.export.fresh REQUEST` with the file of a `Request`. Nothing of training
is here: what an exported model needs, this process must find in the files. If a converter breaks
down, it takes no more than this process with it.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kubefit.api.base import Model
from kubefit.api.recipe import ExportFormat
from kubefit_trainer import lifeline, report
from kubefit_trainer.export.formats import TOLERANCES, Exported

Floats = NDArray[np.float32]
Samples = NDArray[Any]
"""Images (n, height, width, channels) of uint8, strings (n,), a column of them for each input, or
amplitudes (n, length)."""


class Request(Model):
    """What the process is to do; all paths are absolute."""

    paths: dict[ExportFormat, str]
    """Formats to look at, and where each lies or is to be written."""
    saved_model: str
    """The SavedModel that others are made of."""
    samples: str
    """Archive of NumPy with `samples`, and what the trained model gives for them, `expected`
    (n, units) or (n, frames, classes), and the texts that it writes for them, `texts` (n,), if it
    writes any."""
    modules: list[str] = []
    """What to import before Keras loads its file: layers that register themselves."""
    results: str
    """Where the `Results` are to be written."""


class Results(Model):
    """What became of each format, as far as the process got."""

    exported: list[Exported] = []


def main(request: Request) -> None:
    """Writes and compares one format after the other, and tells of each."""
    with np.load(request.samples) as archive:
        samples, expected = archive["samples"], archive["expected"]
        texts = archive.get("texts")
    found: list[Exported] = []
    for one, path in request.paths.items():
        found.append(_looked_at(one, Path(path), request, samples, expected, texts))
        report.write(Path(request.results), Results(exported=found))


def _looked_at(
    one: ExportFormat,
    path: Path,
    request: Request,
    samples: Samples,
    expected: Floats,
    texts: NDArray[np.str_] | None,
) -> Exported:
    said = {"format": one, "path": str(path)}
    try:
        if one in _CONVERTERS:
            _CONVERTERS[one](Path(request.saved_model), path)
        for module in request.modules if one is ExportFormat.KERAS else []:
            importlib.import_module(module)
        answers = _RUNTIMES[one](path, samples)
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return Exported.model_validate({**said, "problem": text[:300]})
    difference, problem = compared(one, answers, expected)
    if one is ExportFormat.SAVED_MODEL and texts is not None and not problem:
        problem = _differently_written(path, samples, texts)
    return Exported.model_validate({**said, "difference": difference, "problem": problem})


def taken(samples: Samples) -> list[Samples]:
    """Samples as each input of the model takes them: pixels as float32."""
    if samples.dtype.kind == "U" and samples.ndim > 1:
        return list(samples.T)
    return [samples.astype(np.float32) if samples.dtype == np.uint8 else samples]


def _differently_written(path: Path, samples: Samples, texts: NDArray[np.str_]) -> str:
    import tensorflow as tf

    served = tf.saved_model.load(str(path)).signatures["serving_default"]
    (name,) = served.structured_input_signature[1]
    (found,) = served(**{name: tf.constant(samples[:, 0])}).values()
    for sample, wanted, one in zip(samples[:, 0], texts, found.numpy(), strict=True):
        if one.decode() != wanted:
            return f"it writes {one.decode()!r:.80} for {sample!r:.80}, not {wanted!r:.80}"
    return ""


def compared(one: ExportFormat, answers: Sequence[Floats], expected: Floats) -> tuple[float, str]:
    """Largest difference of any of the answers from what is expected, and what is wrong with it."""
    relative, absolute = TOLERANCES[one]
    largest = 0.0
    for answer in answers:
        if answer.shape != expected.shape:
            return largest, f"it answers with the shape {answer.shape}, not {expected.shape}"
        difference = np.abs(answer.astype(np.float64) - expected)
        # Where neither has a number they agree: training may have diverged.
        both = ~np.isfinite(answer) & ~np.isfinite(expected)
        difference = np.where(both, 0.0, np.nan_to_num(difference, nan=np.inf))
        largest = max(largest, float(difference.max()))
        if (difference > absolute + relative * np.abs(np.nan_to_num(expected))).any():
            text = "it predicts something else than the trained model (largest difference"
            return largest, f"{text} {largest:.3g})"
    return largest, ""


def _to_litert(saved_model: Path, path: Path) -> None:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model), signature_keys=["serve"])
    path.write_bytes(converter.convert())


def _to_onnx(saved_model: Path, path: Path) -> None:
    import tensorflow as tf
    import tf2onnx

    loaded = tf.saved_model.load(str(saved_model))
    (image,) = loaded.signatures["serve"].structured_input_signature[1].values()
    model, _ = tf2onnx.convert.from_function(
        tf.function(lambda image: {"output": loaded.serve(image)}),
        input_signature=[image],
        opset=_OPSET,
    )
    path.write_bytes(model.SerializeToString())


_OPSET = 18
"""Version of the operators of ONNX; read by ONNX Runtime from 1.14 (2023) on."""


def _by_keras(path: Path, samples: Samples) -> list[Floats]:
    import keras
    import tensorflow as tf

    model = keras.models.load_model(path, compile=False)
    given = [tf.constant(one) for one in taken(samples)]
    return [np.asarray(model(given[0] if len(given) == 1 else given, training=False))]


def _by_tensorflow(path: Path, samples: Samples) -> list[Floats]:
    """Both endpoints; two classes of which the model gives one are one column again."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    plain = loaded.serve(*map(tf.constant, taken(samples))).numpy()
    if len(taken(samples)) > 1:
        return [plain]
    signature = loaded.signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]
    served = signature(**{name: tf.constant(samples)})
    numbers = ("probabilities", "numbers", "log_probabilities")
    found = next(served[name] for name in numbers if name in served).numpy()
    return [plain, found[:, -plain.shape[1] :]]


def _by_litert(path: Path, samples: Samples) -> list[Floats]:
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_path=str(path)).get_signature_runner("serve")
    (answer,) = runner(image=taken(samples)[0]).values()
    return [answer]


def _by_onnx_runtime(path: Path, samples: Samples) -> list[Floats]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"image": taken(samples)[0]})
    return [answer]


_CONVERTERS: dict[ExportFormat, Callable[[Path, Path], None]] = {
    ExportFormat.LITERT: _to_litert,
    ExportFormat.ONNX: _to_onnx,
}
_RUNTIMES: dict[ExportFormat, Callable[[Path, Any], list[Floats]]] = {
    ExportFormat.KERAS: _by_keras,
    ExportFormat.SAVED_MODEL: _by_tensorflow,
    ExportFormat.LITERT: _by_litert,
    ExportFormat.ONNX: _by_onnx_runtime,
}

if __name__ == "__main__":
    lifeline.die_with_parent()
    main(Request.model_validate_json(Path(sys.argv[1]).read_bytes()))
