"""`values.yaml`, and the same as rows of a table, from the models of the values."""

import json
import textwrap
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from kubefit.api.base import Model
from kubefit.generate.text import YAML_NOTICE, to_yaml
from kubefit.generate.values import Values


def values_yaml() -> str:
    """Every value with its default and a comment."""
    return "\n".join([YAML_NOTICE, *_lines(Values(), depth=0)])


def value_rows(model: Model | None = None, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """Path, default and description of every value that is no group."""
    model = Values() if model is None else model
    for name, text, value in _fields(model):
        if isinstance(value, Model):
            yield from value_rows(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value, text


def _lines(model: Model, *, depth: int) -> Iterator[str]:
    indent = "  " * depth
    for name, text, value in _fields(model):
        yield from textwrap.wrap(
            text, width=100, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
        )
        if isinstance(value, Model):
            yield f"{indent}{name}:"
            yield from _lines(value, depth=depth + 1)
        elif isinstance(value, dict | list) and value:
            yield f"{indent}{name}:"
            yield textwrap.indent(to_yaml(value).rstrip(), f"{indent}  ")
        else:
            yield f"{indent}{name}: {scalar(value)}"
        if depth == 0:
            yield ""


def scalar(value: Any) -> str:
    """One line of YAML; empty text and collections as they are typed."""
    if value in ("", [], {}):
        return json.dumps(value)
    return to_yaml(value).removesuffix("...\n").rstrip()


def _fields(model: Model) -> Iterator[tuple[str, str, Any]]:
    """Wire name, description and value of each field; enums as their wire values."""
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        text = " ".join((field.description or "").split())
        yield field.alias or name, text, value.value if isinstance(value, StrEnum) else value
