"""JSON schemas that editors and helm read: they keep what a CRD cannot express."""

from typing import Any

from pydantic import BaseModel

from kubefit.api.v1alpha1 import TrainingJob
from kubefit.generate.structural import Schema, without_nulls

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def plain_schema(model: type[BaseModel], *, title: str) -> Schema:
    """The model's schema without pydantic's titles, null defaults and Kubernetes' extensions."""
    schema: Schema = _plain(model.model_json_schema())
    return {"$schema": DIALECT, "title": title, **schema}


def editor_schema() -> Schema:
    """Schema of a TrainingJob as people write it: with `apiVersion` and `kind`, without status."""
    schema = plain_schema(TrainingJob, title="TrainingJob")
    schema["required"] = ["apiVersion", "kind", *schema["required"]]
    del schema["properties"]["status"]
    schema["$defs"] = {name: schema["$defs"][name] for name in sorted(_used(schema))}
    return schema


def _plain(node: Any, *, is_schema: bool = True) -> Any:
    """`is_schema` is false in a mapping whose keys are names of fields or models."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    if not is_schema:
        return {name: _plain(item) for name, item in node.items()}
    plain: dict[str, Any] = {}
    for key, value in node.items():
        if key == "x-kubernetes-int-or-string":
            plain["type"] = ["integer", "string"]
        elif key == "default":
            plain |= {} if value is None else {key: without_nulls(value)}
        elif key in ("enum", "required"):
            plain[key] = value
        elif key != "title" and not key.startswith("x-kubernetes-"):
            plain[key] = _plain(value, is_schema=key not in ("properties", "$defs"))
    return plain


def _used(schema: Schema) -> set[str]:
    """Names of the definitions that the properties need, directly or not."""
    used: set[str] = set()
    waiting: list[Any] = [schema["properties"]]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            name = str(node.get("$ref", "")).removeprefix("#/$defs/")
            if name and name not in used:
                used.add(name)
                waiting.append(schema["$defs"][name])
            waiting += node.values()
    return used
