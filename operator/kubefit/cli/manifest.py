"""From the file on the command line, a manifest or a program, to a TrainingJob."""

import re
from pathlib import Path
from typing import Any

from kubefit.api.names import API_VERSION, KIND, MAX_NAME_LENGTH
from kubefit.api.v1alpha1 import Runtime, TrainingJob
from kubefit.cli.errors import CommandError
from kubefit.client.manifest import parse, read_document, read_text

_LOCAL_CLAIM = "local"
"""A script needs no claim to run on this machine; the model wants one."""


def is_script(file: Path) -> bool:
    """Whether the file is a Python program rather than a manifest."""
    return file.suffix == ".py"


def load(
    file: Path,
    *,
    workers: int | None = None,
    name: str | None = None,
    runtime: Runtime | None = None,
    args: list[str],
    fresh: bool = False,
) -> TrainingJob:
    """The job of a manifest or of a Python program, with what the command line changes.

    Raises:
        InvalidJobError: the file cannot be used.
        CommandError: what the command line changes does not belong to it.

    """
    document = _of_script(file) if is_script(file) else read_document(file)
    spec = document.get("spec") if isinstance(document, dict) else None
    if isinstance(spec, dict):
        if workers is not None:
            spec["workers"] = workers
        if args:
            _set_of_script(file, spec, "args", args, given="arguments after -- go")
        if runtime is not None:
            _set_of_script(file, spec, "runtime", runtime.value, given="--runtime belongs")
        if fresh and isinstance(spec.setdefault("checkpoint", {}), dict):
            spec["checkpoint"]["resume"] = False
    if name is not None and isinstance(document, dict):
        document.setdefault("metadata", {})["name"] = name
    return parse(file, document)


def _of_script(file: Path) -> dict[str, Any]:
    read_text(file)
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name_from(file.stem)},
        "spec": {
            "storage": {"claim": _LOCAL_CLAIM},
            "script": {"path": str(file.absolute())},
        },
    }


def _set_of_script(file: Path, spec: dict[str, Any], field: str, value: Any, given: str) -> None:
    if not isinstance(spec.get("script"), dict):
        raise CommandError(f"{file}: {given} to a script, but this job trains a recipe")
    spec["script"][field] = value


def name_from(stem: str) -> str:
    """A valid job name made of a file's name: `Train_v2` gives `train-v2`."""
    name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).lstrip("-0123456789")
    return name[:MAX_NAME_LENGTH].rstrip("-") or "script"
