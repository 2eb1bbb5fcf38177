"""Writes a trained model in the formats asked for, each compared with it by a fresh process.

Only the chief calls this; nothing here takes part in a collective. `model.keras` is in its place
before anything else is tried: no format that fails costs the model.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kubefit.api.contract import signal_name
from kubefit.api.recipe import ExportFormat, LabelKind
from kubefit_trainer import report
from kubefit_trainer.agent import cgroup
from kubefit_trainer.export import card, fresh, serving
from kubefit_trainer.export.formats import FILES, LABELS_FILE, Exported, lacking, lacks, size_of
from kubefit_trainer.export.fresh import Request, Results

_TOGETHER = (
    [ExportFormat.KERAS, ExportFormat.SAVED_MODEL],
    [ExportFormat.LITERT],
    [ExportFormat.ONNX],
)
"""Formats that share a process: converters have one each, as they may break down."""
_OF_FLOAT32 = (ExportFormat.LITERT, ExportFormat.ONNX)
_SECONDS = 3600.0
_TAIL, _LAST_LINE = 4096, 200
"""Bytes that are looked at for the last line of a process, and characters of it that are told."""
_MEMORY = 640 << 20
_OF_MODEL = 4
"""A process takes so many bytes, and so many times the model: less would end the whole pod."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a model is exported as."""

    formats: Sequence[ExportFormat]
    classes: Sequence[str]
    """Names of the classes, or of the numbers."""
    kind: LabelKind
    answers: serving.Answers | None = None
    """What writes a text for each sample, where that is what the model is for."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Formats that are being looked at, beside whatever else this process does."""

    folder: Path
    formats: Sequence[ExportFormat]
    _found: Future[list[Exported]]

    def finish(self) -> list[Exported]:
        """Waits, and puts what is as it should be into its place; what became of each format.

        Formats that are not wanted any more, or failed, are not there afterwards.
        """
        try:
            found = {one.format: one for one in self._found.result()}
            for one, path in FILES.items():
                if one is not ExportFormat.KERAS:
                    _place(_scratch(self.folder) / one, self.folder / path, found.get(one))
        except Exception as error:  # A full volume, for one: the model is there.
            problem = f"{type(error).__name__}: {error}"[:300]
            found = {f: Exported(format=f, path="", problem=problem) for f in self.formats}
        shutil.rmtree(_scratch(self.folder), ignore_errors=True)
        return [_measured(found[one], self.folder) for one in FILES if one in found]


def begin(model: keras.Model, folder: Path, wanted: Wanted, *, samples: NDArray[Any]) -> Pending:
    """Writes the model and the names of its classes, and begins with the other formats.

    What an export before has left is removed, its model card too: it is of another model.
    All formats must agree on the `samples`: images (n, height, width, channels) of uint8, strings
    (n,), a column of them for each input, or amplitudes (n, length).
    """
    scratch = _scratch(folder)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    saved = scratch / FILES[ExportFormat.KERAS].name
    model.save(saved)
    saved.replace(folder / FILES[ExportFormat.KERAS])
    _remove_others(folder)
    report.write_text(folder / LABELS_FILE, json.dumps(list(wanted.classes), indent=2) + "\n")
    formats = [ExportFormat.KERAS, *(f for f in wanted.formats if f is not ExportFormat.KERAS)]
    found: Future[list[Exported]] = Future()
    try:
        with tf.device("CPU:0"):  # Where the fresh process computes: GPUs round otherwise.
            given = [tf.constant(one) for one in fresh.taken(samples)]
            expected = np.asarray(model(given[0] if len(given) == 1 else given, training=False))
            kept: dict[str, Any] = {"samples": samples, "expected": expected}
            if wanted.answers is not None and ExportFormat.SAVED_MODEL in wanted.formats:
                texts = wanted.answers(given[0]).numpy().tolist()
                kept["texts"] = np.array([text.decode() for text in texts], np.str_)
        np.savez(_samples(folder), **kept)
        refused = _refused(model, folder, wanted)
    except Exception as error:
        found.set_exception(error)
        return Pending(folder, formats, found)
    pool = ThreadPoolExecutor(1, thread_name_prefix="export")
    found = pool.submit(_looked_at, folder, formats, _modules(model), refused)
    pool.shutdown(wait=False)
    return Pending(folder, formats, found)


def warnings_of(found: Sequence[Exported]) -> list[str]:
    """A sentence for each format that is not as it should be."""
    return [
        f"{one.format} is exported without a proof that it is right: {one.problem}"
        if one.size
        else f"{one.format} is not exported: {one.problem}"
        for one in found
        if one.problem
    ]


def _scratch(folder: Path) -> Path:
    return folder / ".partial"


def _samples(folder: Path) -> Path:
    return _scratch(folder) / "samples.npz"


def _saved_model_of(folder: Path) -> Path:
    return _scratch(folder) / ExportFormat.SAVED_MODEL


def _remove_others(folder: Path) -> None:
    """Removes all but the model itself; moved away first, as what is being read may not go."""
    old = _scratch(folder) / "before"
    old.mkdir()
    others = [path for one, path in FILES.items() if one is not ExportFormat.KERAS]
    for number, path in enumerate([*others, Path(card.FILE)]):
        if (folder / path).exists():
            (folder / path).rename(old / str(number))
    shutil.rmtree(old, ignore_errors=True)


def _place(made: Path, target: Path, found: Exported | None) -> None:
    if found is not None and found.size > 0 and made.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        made.rename(target)


def _measured(one: Exported, folder: Path) -> Exported:
    path = folder / FILES[one.format]
    size = size_of(path) if path.exists() else 0
    return one.model_copy(update={"path": str(FILES[one.format]), "size": size})


def _refused(model: keras.Model, folder: Path, wanted: Wanted) -> dict[ExportFormat, str]:
    """Writes the SavedModel that other formats are made of; why formats cannot be, if they cannot.

    Without one there is only the model itself.
    """
    others = [one for one in wanted.formats if one is not ExportFormat.KERAS]
    if not others:
        return {}
    try:
        where = _saved_model_of(folder)
        if wanted.answers is not None:
            serving.write_texts(model, where, wanted.answers)
        else:
            serving.write(model, where, classes=wanted.classes, kind=wanted.kind)
    except Exception as error:
        text = f"the SavedModel cannot be written: {type(error).__name__}: {error}"[:300]
        return dict.fromkeys(others, text)
    halves = {layer.compute_dtype for layer in model._flatten_layers()} & {"bfloat16", "float16"}
    text = (
        f"its converter takes float32 only, and the network computes in {' and '.join(halves)};"
        " set spec.recipe.training.precision to float32"
    )
    refused = {one: text for one in others if halves and one in _OF_FLOAT32}
    return refused | {one: lacks(one, packages) for one, packages in lacking(others).items()}


def _modules(model: keras.Model) -> list[str]:
    """Modules whose layers Keras must know to load the model: all that are not its own."""
    found = {type(layer).__module__ for layer in model._flatten_layers()}
    return sorted(name for name in found - {"__main__"} if not name.startswith("keras."))


def _looked_at(
    folder: Path,
    formats: Sequence[ExportFormat],
    modules: list[str],
    refused: dict[ExportFormat, str],
) -> list[Exported]:
    """What became of every format; runs beside the rest of the process."""
    found = [Exported(format=f, path=str(FILES[f]), problem=why) for f, why in refused.items()]
    for together in _TOGETHER:
        asked = [one for one in together if one in formats and one not in refused]
        if asked:
            found += _by_a_process(folder, asked, modules)
    return found


def _by_a_process(
    folder: Path, formats: Sequence[ExportFormat], modules: list[str]
) -> list[Exported]:
    model = folder / FILES[ExportFormat.KERAS]
    free, needed = cgroup.free_memory(), _MEMORY + _OF_MODEL * size_of(model)
    if free < needed:
        text = (
            f"a process that does it needs {needed >> 20} MiB, and {free >> 20} are free; give the"
            " chief more memory"
        )
        return [_untried(one, folder, text) for one in formats]
    scratch = _scratch(folder)
    results = scratch / f"results-{formats[0]}.json"
    request = Request(
        paths={one: str(model if one is ExportFormat.KERAS else scratch / one) for one in formats},
        saved_model=str(_saved_model_of(folder)),
        samples=str(_samples(folder)),
        modules=modules,
        results=str(results),
    )
    asked = scratch / f"request-{formats[0]}.json"
    report.write(asked, request)
    ended = _run(asked)
    read = report.read(results, Results)
    found = {one.format: one for one in (read.exported if read else [])}
    return [
        _with_size(found[one], Path(request.paths[one]))
        if one in found
        else Exported(format=one, path=request.paths[one], problem=ended)
        for one in formats
    ]


def _untried(one: ExportFormat, folder: Path, why: str) -> Exported:
    """A SavedModel that was not compared is kept; other formats were not even made."""
    made = _saved_model_of(folder) if one is ExportFormat.SAVED_MODEL else Path()
    size = size_of(made) if one is ExportFormat.SAVED_MODEL else 0
    return Exported(format=one, path=str(FILES[one]), size=size, problem=why)


def _with_size(one: Exported, path: Path) -> Exported:
    """With a size if it is as it should be, so that it is put into its place."""
    return one.model_copy(update={"size": 0 if one.problem else size_of(path)})


def _run(request: Path) -> str:
    """How the process ended."""
    environment: dict[str, Any] = {
        **{name: value for name, value in os.environ.items() if name != "TF_CONFIG"},
        "CUDA_VISIBLE_DEVICES": "",  # This process has all memory of the GPUs.
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    command = [sys.executable, "-m", "kubefit_trainer.export.fresh", str(request)]
    with tempfile.TemporaryFile() as said:
        try:
            code = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                timeout=_SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            return f"its process took longer than {_SECONDS:.0f} s"
        last = _last_line(said)
    end = signal_name(-code) if code < 0 else f"exit code {code}"
    return f"the process that writes and reloads it ended with {end}{last and f': {last}'}"


def _last_line(said: IO[bytes]) -> str:
    """The last thing that a process said, cut; empty if it said nothing."""
    said.seek(max(0, said.seek(0, os.SEEK_END) - _TAIL))
    lines = said.read().decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")[:_LAST_LINE]
