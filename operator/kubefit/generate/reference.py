"""The reference documentation of the resource and of the contract with the workers."""

import ast
import inspect
import json
from collections.abc import Iterator
from typing import Any

from kubefit.api import contract, names
from kubefit.generate.crd import resource_schema
from kubefit.generate.structural import Schema
from kubefit.generate.text import MARKDOWN_NOTICE

Rows = Iterator[tuple[str, ...]]


def table(header: tuple[str, ...], rows: Rows) -> str:
    """A Markdown table; cells are one line each."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def trainingjob_md() -> str:
    """Every field of a TrainingJob and every rule that the API server enforces."""
    schema = resource_schema()
    spec, status = schema["properties"]["spec"], schema["properties"]["status"]
    header = ("Field", "Type", "Default", "Description")
    return "\n".join(
        [
            MARKDOWN_NOTICE,
            f"# {names.KIND}\n",
            f"`apiVersion: {names.API_VERSION}`, `kind: {names.KIND}`, short name"
            f" `{names.SHORT_NAME}`. {schema['description']}\n",
            "## Spec\n",
            table(header, _fields(spec, "spec")),
            "## Rules\n",
            "The API server refuses a job that breaks one of these, with the text given here.\n",
            table(("Field", "Rule"), _rules(schema, "")),
            "## Status\n",
            f"{status['description']}\n",
            table(header, _fields(status, "status")),
        ]
    )


def workers_md() -> str:
    """What a worker's container is told and what its end means."""
    exits = (
        (
            str(int(code)),
            f"`{meaning.reason}`",
            meaning.text,
            "no" if meaning.permanent else "yes",
            "yes" if meaning.charged else "no",
        )
        for code, meaning in contract.EXIT_MEANINGS.items()
    )
    documented = member_docs(names.Env)
    variables = ((f"`{name.value}`", documented[name.name]) for name in names.Env)
    return "\n".join(
        [
            MARKDOWN_NOTICE,
            "# Workers\n",
            "## Exit codes\n",
            "The exit code of a worker's container decides what happens next. Restarts that are"
            " charged count against `spec.runPolicy.maxRestarts`.\n",
            table(("Code", "Reason", "Meaning", "Retried", "Charged"), exits),
            "## Environment\n",
            "Beside these, the agent sets `TF_CONFIG` and Keras' `KERAS_DISTRIBUTION_…` variables"
            " for the training process.\n",
            table(("Variable", "Meaning"), variables),
            "## Ports\n",
            table(
                ("Port", "Used for"),
                iter(
                    [
                        ("any free one", "TensorFlow's servers, worker to worker"),
                        (
                            str(contract.AGENT_PORT),
                            f"The agent's `/status`, `/metrics` and `/healthz`; named"
                            f" `{names.PORT_METRICS}` in the pod",
                        ),
                        (str(contract.TENSORBOARD_PORT), "TensorBoard"),
                    ]
                ),
            ),
        ]
    )


def member_docs(enum: type) -> dict[str, str]:
    """The strings written below the members of an enum, by member name."""
    (tree,) = ast.parse(inspect.getsource(enum)).body
    assert isinstance(tree, ast.ClassDef)
    docs: dict[str, str] = {}
    for member, text in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(member, ast.Assign) and isinstance(text, ast.Expr):
            (target,) = member.targets
            assert isinstance(target, ast.Name)
            docs[target.id] = ast.literal_eval(text.value)
    return docs


def _fields(schema: Schema, path: str) -> Rows:
    required = schema.get("required", ())
    for name, field in schema["properties"].items():
        at = f"{path}.{name}"
        default = "required" if name in required else _default(field)
        yield f"`{at}`", _type(field), default, field.get("description", "")
        items = field.get("items", {})
        if "properties" in field:
            yield from _fields(field, at)
        elif "properties" in items:
            yield from _fields(items, f"{at}[]")


def _rules(schema: Schema, path: str) -> Rows:
    for rule in schema.get("x-kubernetes-validations", ()):
        # Messages about the whole object begin with the field that they mean.
        field, message = (path, rule["message"]) if path else rule["message"].split(": ", 1)
        yield f"`{field}`", message
    for name, field in schema.get("properties", {}).items():
        yield from _rules(field, f"{path}.{name}".removeprefix("."))
    if "items" in schema:
        yield from _rules(schema["items"], f"{path}[]")


def _type(field: Schema) -> str:
    if "enum" in field:
        return "one of " + ", ".join(f"`{value}`" for value in field["enum"])
    text = str(field.get("type", "any value"))
    if "items" in field:
        text = f"list of {_inner(field['items'])}"
    elif "additionalProperties" in field:
        text = f"map of {_inner(field['additionalProperties'])}"
    elif field.get("x-kubernetes-preserve-unknown-fields"):
        text = "object, any fields" if "type" in field else "number or text"
    elif field.get("format") == "date-time":
        text = "time"
    return ", ".join([text, *_bounds(field)])


def _inner(items: Schema) -> str:
    text = _type(items)
    return f"({text})" if ", " in text else text


def _bounds(field: Schema) -> Iterator[str]:
    yield from _range(field.get("minimum"), field.get("maximum"), "")
    yield from _range(field.get("minLength"), field.get("maxLength"), " characters")
    yield from _range(field.get("minItems"), field.get("maxItems"), " items")
    yield from _range(field.get("minProperties"), field.get("maxProperties"), " entries")
    if "pattern" in field:
        yield f"matching `{field['pattern']}`"


def _range(low: float | None, high: float | None, unit: str) -> Iterator[str]:
    if unit and low == 1:
        yield "not empty"
        low = None
    if low is not None and high is not None:
        yield f"{_number(low)}{unit}" if low == high else f"{_number(low)} to {_number(high)}{unit}"
    elif low is not None:
        yield f"at least {_number(low)}{unit}"
    elif high is not None:
        yield f"at most {_number(high)}{unit}"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _default(field: Schema) -> str:
    """An object's default is told by its fields."""
    if "default" not in field or "properties" in field:
        return ""
    return f"`{json.dumps(field['default'])}`"


def _cell(text: Any) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")
