"""Fields of a document by their paths, such as `spec.recipe.training.phases[0].learningRate`."""

import copy
import re
from typing import Any

_PATH = re.compile(r"spec(?:\.[A-Za-z]\w*|\[\d+\])+")
_PART = re.compile(r"\.([A-Za-z]\w*)|\[(\d+)\]")


class PathError(Exception):
    """A path leads nowhere: one sentence."""


def with_value(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of the document with another value there; mappings on the way are made.

    A text is replaced by the text of the value, as arguments of a program are texts.

    Raises:
        PathError: it is no path, or leads through something that has no such part.

    """
    if not _PATH.fullmatch(path):
        raise PathError(f"{path}: is not a path such as spec.recipe.training.learningRate")
    parts = [int(index) if index else name for name, index in _PART.findall(path)]
    found = copy.deepcopy(document)
    node: Any = found.setdefault("spec", {})
    here = "spec"
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        _check(node, part, here)
        here += f"[{part}]" if isinstance(part, int) else f".{part}"
        if following is None:
            before = node[part] if isinstance(part, int) else node.get(part)
            node[part] = _text(value) if isinstance(before, str) else value
        elif isinstance(part, str) and node.get(part) is None:
            node[part] = {}
        node = node[part]
    return found


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check(node: Any, part: str | int, here: str) -> None:
    if isinstance(part, int):
        if not isinstance(node, list):
            raise PathError(f"{here}[{part}]: {here} of the job is not a list")
        if part >= len(node):
            raise PathError(f"{here}[{part}]: {here} of the job has {len(node)} items")
    elif not isinstance(node, dict):
        raise PathError(f"{here}.{part}: {here} of the job is not a mapping")
