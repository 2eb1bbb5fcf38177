"""From a file to a TrainingJob: reads YAML or JSON and checks the schema, nothing else."""

import re
import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from kubefit.api.errors import explain, read_job
from kubefit.api.names import KIND
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.errors import InvalidJobError

STDIN = "-"
_LONGEST = 3 << 20
"""Bytes of a file; the API server takes no more in a request."""
_LARGEST = 2 * _LONGEST
"""Characters and values of a document once every alias stands for what it means."""


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice, as the API server does, and aliases that explode."""

    def construct_document(self, node: yaml.Node) -> Any:
        if _size(node, {}) > _LARGEST:
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f"the document is larger than {_LARGEST >> 20} MiB once its aliases are filled in",
                node.start_mark,
            )
        return super().construct_document(node)

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


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+"),
    list("-+0123456789"),
)
"""`1e-4` is a number to the API server, and a text in YAML 1.1."""


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Of a node with its aliases filled in; one that holds itself counts without that."""
    if isinstance(node, yaml.ScalarNode):
        return 1 + len(node.value)
    if id(node) not in known:
        known[id(node)] = 0
        pairs = isinstance(node, yaml.MappingNode)
        inner = [one for pair in node.value for one in pair] if pairs else node.value
        known[id(node)] = 1 + sum(_size(one, known) for one in inner)
    return known[id(node)]


def read_document(file: Path) -> Any:
    """The one document in a YAML or JSON file.

    Raises:
        InvalidJobError: the file cannot be read, is no YAML, or has not exactly one document.

    """
    found = read_documents(file)
    if len(found) != 1:
        raise InvalidJobError(
            f"{file}: holds {len(found) or 'no'} documents; a file has one {KIND}",
        )
    return found[0]


def read_documents(file: Path) -> list[Any]:
    """All documents in a YAML or JSON file, or on stdin for `-`; empty ones are left out.

    Raises:
        InvalidJobError: the file cannot be read, or is no YAML.

    """
    try:
        documents = list(yaml.load_all(read_text(file), Loader=_Loader))
    except yaml.YAMLError as error:
        raise InvalidJobError(f"{file}: {_yaml_fault(error)}") from error
    except RecursionError as error:
        raise InvalidJobError(f"{file}: its lists and mappings are nested too deeply") from error
    except ValueError as error:  # A date or a number that is none.
        raise InvalidJobError(f"{file}: a value cannot be read: {error}") from error
    return [document for document in documents if document is not None]


def read_text(file: Path) -> str:
    """The file's text; that of stdin for `-`.

    Raises:
        InvalidJobError: it cannot be read.

    """
    try:
        content = _bytes(file)
    except FileNotFoundError as error:
        raise InvalidJobError(f"{file}: does not exist") from error
    except OSError as error:
        raise InvalidJobError(f"{file}: cannot be read: {error.strerror}") from error
    if len(content) > _LONGEST:
        raise InvalidJobError(f"{file}: is larger than {_LONGEST >> 20} MiB, too large for a job")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InvalidJobError(f"{file}: is not UTF-8 text (byte {error.start})") from error


def _bytes(file: Path) -> bytes:
    """What the file holds, as far as anybody wants to know."""
    if str(file) == STDIN:
        return sys.stdin.buffer.read(_LONGEST + 1)
    with file.open("rb") as stream:
        return stream.read(_LONGEST + 1)


def parse(source: object, document: Any) -> TrainingJob:
    """The TrainingJob that a document describes; `source` is what people know it by.

    Raises:
        InvalidJobError: one sentence per fault, each with the path of its field.

    """
    try:
        return read_job(document)
    except ValidationError as error:
        raise InvalidJobError(*(f"{source}: {sentence}" for sentence in explain(error))) from error
    except (ValueError, RecursionError) as error:
        raise InvalidJobError(f"{source}: an anchor of the document refers to itself") from error


def _yaml_fault(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        context = f" {error.context}" if error.context else ""
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}{context}"
    return f"is not YAML: {error}"
