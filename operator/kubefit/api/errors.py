"""What is wrong with a resource, in sentences for people, each with the path of its field.

One wording for the command line, the operator and the pods; pure functions.
"""

import difflib
import json
import re
from collections.abc import Mapping
from typing import Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from kubefit.api.v1alpha1 import TrainingJob

_LONGEST_INPUT = 60
_BRANCH = re.compile(
    r"none|bool|int|float|str|datetime|enum|constrained-\w+|[A-Z]\w*|[a-z-]+[\[(].*"
)
"""What pydantic puts into a location for the branch of a union; no field is named like that."""
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "a string",
    "list": "a list",
    "dict": "a mapping",
    "model": "a mapping",
    "datetime": "a date and time",
}
_TYPE_ERROR = re.compile(rf"({'|'.join(_KINDS)})(_type|_parsing|_from_float|_from_date_parsing)")
_NAMES_ITS_FIELD = re.compile(r"[A-Za-z][\w.]*: ")
_QUOTED = re.compile(r"'([^']*)'")


def read_job(document: object) -> TrainingJob:
    """The TrainingJob in a parsed YAML or JSON document, as strict about types as the API server.

    Raises:
        ValidationError: it is none; `explain` tells why.

    """
    return _read(document)


def read_known(document: object) -> TrainingJob:
    """The same of a document that may have fields which only a newer version knows.

    Raises:
        ValidationError: what is known of it is no TrainingJob.

    """
    return _read(document, "ignore")


def _read(document: object, unknown: Literal["ignore"] | None = None) -> TrainingJob:
    text = json.dumps(document, default=str)
    return TrainingJob.model_validate_json(text, strict=True, extra=unknown)


def explain(error: ValidationError) -> list[str]:
    """One sentence per fault, e.g. `spec.workers: -1 is less than 1`, without repetitions."""
    faults: dict[str, list[ErrorDetails]] = {}
    for details in error.errors(include_url=False):
        if details["type"] != "none_required":
            faults.setdefault(field_path(details["loc"]), []).append(details)
    return [
        _joined(path, fault) for path, found in faults.items() for fault in _faults_of_field(found)
    ]


def field_path(location: tuple[int | str, ...]) -> str:
    """`("spec", "blocks", 2, "conv")` as `spec.blocks[2].conv`; branches of unions left out."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif not _BRANCH.fullmatch(part):
            text += f".{part}"
    return text.removeprefix(".")


def _faults_of_field(found: list[ErrorDetails]) -> list[str]:
    """A union reports each branch that does not fit: they make one sentence."""
    kinds: dict[str, None] = {}
    faults: dict[str, None] = {}
    for details in found:
        type_error = _TYPE_ERROR.fullmatch(details["type"])
        if type_error:
            kinds[_KINDS[type_error[1]]] = None
        else:
            faults[_fault(details)] = None
    if kinds:
        return [f"{_seen(found[0]['input'])} is not {' or '.join(kinds)}"]
    return list(faults)


def _joined(path: str, fault: str) -> str:
    if not path:
        return fault
    return f"{path}.{fault}" if _NAMES_ITS_FIELD.match(fault) else f"{path}: {fault}"


def _fault(details: ErrorDetails) -> str:
    kind, context = details["type"], details.get("ctx", {})
    seen = _seen(details["input"])
    if kind in ("enum", "literal_error"):
        return _not_one_of(seen, str(context["expected"]))
    if kind == "value_error":
        return str(context["error"])
    if kind in _WORDINGS:
        return _WORDINGS[kind].format(seen=seen, **_bounds(context))
    return f"{details['msg'][:1].lower()}{details['msg'][1:]}, not {seen}"


_WORDINGS = {
    "missing": "is required",
    "extra_forbidden": "unknown field",
    "greater_than_equal": "{seen} is less than {ge}",
    "less_than_equal": "{seen} is more than {le}",
    "greater_than": "{seen} is not more than {gt}",
    "less_than": "{seen} is not less than {lt}",
    "string_too_short": "{seen} has fewer than {min_length} characters",
    "string_too_long": "{seen} has more than {max_length} characters",
    "string_pattern_mismatch": "{seen} does not match {pattern}",
    "too_short": "has {actual_length} items, fewer than {min_length}",
    "too_long": "has {actual_length} items, more than {max_length}",
    "finite_number": "{seen} is not a finite number",
}


def _bounds(context: Mapping[str, object]) -> dict[str, str]:
    return {
        name: f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in context.items()
    }


def _not_one_of(seen: str, expected: str) -> str:
    choices = _QUOTED.findall(expected)
    close = difflib.get_close_matches(seen.strip("'"), choices, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return f"{seen} is not one of {', '.join(choices)}{hint}"


def _seen(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= _LONGEST_INPUT else f"{text[:_LONGEST_INPUT]}…"
