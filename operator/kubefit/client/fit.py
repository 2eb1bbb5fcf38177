"""`fit_remote`: a function that makes a model, trained on many workers as `model.fit` would."""

import base64
import hashlib
import inspect
import io
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from kubefit.api.contract import MODEL_FILE
from kubefit.api.names import API_VERSION, KIND, MAX_NAME_LENGTH, NAME_PATTERN
from kubefit.api.v1alpha1 import MAX_INLINE_LENGTH
from kubefit.client.backend import Backend
from kubefit.client.errors import ClientError, InvalidJobError, NotShippableError
from kubefit.client.fit_program import call_of, file_of, program, text_of
from kubefit.client.shipping import Shipped, shipped

Data = Any
"""Arrays as fit takes them, `x`, `(x, y)` or `(x, y, sample_weight)`; the path of an .npz file on
the volume with arrays of these names; or a function that gives such arrays or a Dataset."""

_ARRAYS = ("x", "y", "sample_weight")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFit:
    """What became of a model that was trained on workers."""

    name: str
    """Of the job."""
    history: dict[str, list[Any]]
    """`History.history` of Keras: a list with a number per epoch, by metric; of a metric of many
    numbers with lists of them."""
    model: PurePosixPath
    """The trained model, for `keras.saving.load_model`: a file of this machine, or on the volume of
    a cluster the path at which pods see it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitJob:
    """A function to train with, and how."""

    build_model: Callable[..., Any]
    data: Data
    validation_data: Data | None
    arguments: Mapping[str, Any]
    options: Mapping[str, Any]
    seed: int
    workers: int
    claim: str | None
    spec: Mapping[str, Any]
    name: str | None


def document_of(job: FitJob, backend: Backend) -> dict[str, Any]:
    """The TrainingJob that trains it; on this machine arrays are written to its folder.

    Raises:
        NotShippableError: something cannot go to the workers.
        ClientError: something is missing or does not fit.

    """
    build = shipped(job.build_model, "build_model")
    _check_arguments(job)
    name = job.name or _name(build.name)
    if not re.fullmatch(NAME_PATTERN, name):
        raise InvalidJobError(f"name: {name!r} does not match {NAME_PATTERN}")
    place = _Data(backend, name)
    train = place.expression("data", job.data)
    given = job.validation_data
    validation = "None" if given is None else place.expression("validation_data", given)
    text = program(
        build,
        loaders=place.loaders,
        arguments=job.arguments,
        train=train,
        validation=validation,
        options=job.options,
        seed=job.seed,
    )
    if len(text) > MAX_INLINE_LENGTH:
        raise NotShippableError(
            f"data: function and arrays make {len(text) >> 10} KiB of text, more than the"
            f" {MAX_INLINE_LENGTH >> 10} KiB that a job can carry; save the arrays on the job's"
            " volume with numpy.savez(file, x=..., y=...) and give the path of the file"
        )
    spec = {"workers": job.workers, **job.spec, "script": {"inline": text}}
    spec["storage"] = _storage(job, local=place.folder is not None)
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name},
        "spec": spec,
    }


def model_of(backend: Backend, name: str) -> PurePosixPath:
    """Where the trained model of a job is."""
    folder, here = backend.results(name)
    return PurePosixPath(here or folder) / "export" / MODEL_FILE


class _Data:
    """Brings arrays to where the workers of one job find them."""

    def __init__(self, backend: Backend, name: str) -> None:
        self._backend = backend
        self.folder = backend.results(name)[1]
        """Of the job; None where this machine cannot see it."""
        self.loaders: list[Shipped] = []

    def expression(self, role: str, data: Data) -> str:
        """The expression for the data in the program."""
        if callable(data):
            loader = shipped(data, role)
            _check_call(role, data, {})
            self.loaders.append(loader)
            return call_of(loader)
        if isinstance(data, str | Path):
            return file_of(self._path(role, str(data)))
        packed = _packed(role, data)
        if self.folder is None:
            return text_of(base64.b64encode(packed).decode())
        # A job of this name may run or be over: its file stays as it is.
        file = self.folder / f"{role}-{hashlib.sha256(packed).hexdigest()[:16]}.npz"
        self.folder.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        beside.write_bytes(packed)
        beside.replace(file)
        return file_of(str(file))

    def _path(self, role: str, path: str) -> str:
        found = str(self._backend.volume_path(path))
        if not path.endswith(".npz"):
            raise ClientError(f"{role}: {path} is not the path of an .npz file")
        if self.folder is not None and not Path(found).is_file():
            raise ClientError(f"{role}: {found} does not exist")
        return found


def _packed(role: str, data: Any) -> bytes:
    import numpy as np

    values = data if isinstance(data, tuple) else (data,)
    if any(_is_list_of_arrays(value) for value in values):
        raise NotShippableError(
            f"{role}: holds a list of arrays; give a tuple (x, y), and for a model of several"
            " inputs or outputs a function that makes the data"
        )
    try:
        arrays = {name: np.asarray(value) for name, value in zip(_ARRAYS, values, strict=False)}
    except ValueError:  # Lists whose items are not of one length.
        arrays = {}
    known = 1 <= len(values) <= len(_ARRAYS) and arrays
    if not known or any(array.dtype == object for array in arrays.values()):
        raise NotShippableError(
            f"{role}: is neither arrays (x, y) or (x, y, sample_weight), nor the path of an .npz"
            " file on the volume, nor a function that gives data"
        )
    lengths = {name: array.shape[0] if array.ndim else 0 for name, array in arrays.items()}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ClientError(f"{role}: the arrays are not of one length, or are empty: {told}")
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()


def _is_list_of_arrays(value: Any) -> bool:
    return isinstance(value, list) and any(getattr(item, "ndim", 0) for item in value)


def _check_arguments(job: FitJob) -> None:
    _check_call("arguments", job.build_model, job.arguments)
    try:
        json.dumps([dict(job.arguments), dict(job.options)])
    except (TypeError, ValueError) as error:
        raise NotShippableError(
            f"arguments: only numbers, texts, lists and mappings can be shipped: {error}"
        ) from error


def _check_call(role: str, function: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    try:
        inspect.signature(function).bind(**arguments)
    except TypeError as error:
        told = "do not fit" if arguments else "none are given to"
        raise ClientError(f"{role}: {told} {function.__name__}: {error}") from error


def _storage(job: FitJob, *, local: bool) -> Any:
    if job.claim is not None:
        return {"claim": job.claim}
    if "storage" in job.spec or not local:
        if "storage" not in job.spec:
            raise ClientError(
                "claim: a cluster needs a volume for the results; name a PersistentVolumeClaim,"
                " or give spec={'storage': {'create': {'size': '1Gi'}}}"
            )
        return job.spec["storage"]
    return {"claim": "local"}


def _name(function: str) -> str:
    suffix = secrets.token_hex(3)
    stem = re.sub(r"[^a-z0-9]+", "-", function.lower()).strip("-0123456789") or "fit"
    return f"{stem[: MAX_NAME_LENGTH - 1 - len(suffix)].rstrip('-')}-{suffix}"
