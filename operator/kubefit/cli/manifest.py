"""From the file on the command line to a TrainingJob; reads one file and checks its schema."""

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from kubefit.api.errors import explain, read_job
from kubefit.api.names import API_VERSION, KIND, MAX_NAME_LENGTH
from kubefit.api.v1alpha1 import Runtime, TrainingJob
from kubefit.cli.errors import CommandError

_LOCAL_CLAIM = "local"
"""A script needs no claim to run on this machine; the model wants one."""


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice, as the API server does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name in seen and name != "<<":
                raise yaml.constructor.ConstructorError(
                    None, None, f"{name!r} is given twice", key.start_mark
                )
            seen.add(name)
        return super().construct_mapping(node, deep=deep)


def is_script(file: Path) -> bool:
    """Whether the file is a Python program rather than a manifest."""
    return file.suffix == ".py"


def read_document(file: Path) -> Any:
    """The one document in a YAML or JSON file.

    Raises:
        CommandError: the file cannot be read, is no YAML, or holds more or less than one document.

    """
    try:
        documents = list(yaml.load_all(read_text(file), Loader=_Loader))
    except yaml.YAMLError as error:
        raise CommandError(f"{file}: {_yaml_fault(error)}") from error
    found = [document for document in documents if document is not None]
    if len(found) != 1:
        raise CommandError(
            f"{file}: holds {len(found) or 'no'} documents; a file has one {KIND}",
        )
    return found[0]


def read_text(file: Path) -> str:
    """The file's text.

    Raises:
        CommandError: it cannot be read.

    """
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise CommandError(f"{file}: does not exist") from error
    except OSError as error:
        raise CommandError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{file}: is not UTF-8 text (byte {error.start})") from error


def parse(file: Path, document: Any) -> TrainingJob:
    """The TrainingJob that the document of `file` describes.

    Raises:
        CommandError: one sentence per fault, each with the path of its field.

    """
    try:
        return read_job(document)
    except ValidationError as error:
        raise CommandError(*(f"{file}: {sentence}" for sentence in explain(error))) from error
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{file}: an anchor of the document refers to itself") from error


def load(
    file: Path,
    *,
    workers: int | None = None,
    name: str | None = None,
    runtime: Runtime | None = None,
    args: list[str],
) -> TrainingJob:
    """The job of a manifest or of a Python program, with what the command line changes.

    Raises:
        CommandError: the file cannot be used.

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


def _yaml_fault(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        context = f" {error.context}" if error.context else ""
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}{context}"
    return f"is not YAML: {error}"
