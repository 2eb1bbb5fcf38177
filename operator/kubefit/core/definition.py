"""What the cluster's definition of TrainingJob lacks of the one that this operator was built with.

The API server drops fields that its definition does not have: a job would lose what it asked for,
and its status would be refused.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from kubefit.api.names import GROUP, KIND, PLURAL, VERSION
from kubefit.api.v1alpha1 import TrainingJob

_Schema = Mapping[str, Any]
_PARTS = ("spec", "status")
_NAMED = 3


def lacking(published: _Schema) -> tuple[str, ...]:
    """Fields and values that the published OpenAPI document of the group does not have."""
    served, known = _served(published), TrainingJob.model_json_schema()
    return tuple(
        missing
        for part in _PARTS
        for missing in _compared(
            served.get("properties", {}).get(part, {}), known["properties"][part], known, part
        )
    )


def too_old(missing: tuple[str, ...]) -> str:
    """The sentence for people."""
    more = len(missing) - _NAMED
    named = ", ".join(missing[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return (
        f"the CustomResourceDefinition {PLURAL}.{GROUP} is older than this operator, it lacks"
        f" {named}: upgrade it, as the chart does with crds.enabled=true, or with `kubectl apply"
        " --server-side -f manifests/crd.yaml` of this operator's version"
    )


def _served(published: _Schema) -> _Schema:
    this = {"group": GROUP, "kind": KIND, "version": VERSION}
    for schema in published.get("components", {}).get("schemas", {}).values():
        if this in schema.get("x-kubernetes-group-version-kind", ()):
            found: _Schema = schema
            return found
    return {}


def _compared(served: _Schema, known: _Schema, whole: _Schema, path: str) -> Iterator[str]:
    """Below a field that is missing nothing more is named."""
    known = _resolved(known, whole)
    if "enum" in served:
        yield from (
            f"{path}={value}" for value in known.get("enum", ()) if value not in served["enum"]
        )
    fields = served.get("properties", {})
    for name, field in known.get("properties", {}).items():
        if name in fields:
            yield from _compared(fields[name], field, whole, f"{path}.{name}")
        else:
            yield f"{path}.{name}"
    for inner, suffix in (("items", "[]"), ("additionalProperties", ".*")):
        if isinstance(known.get(inner), dict) and isinstance(served.get(inner), dict):
            yield from _compared(served[inner], known[inner], whole, f"{path}{suffix}")


def _resolved(schema: _Schema, whole: _Schema) -> _Schema:
    if "$ref" not in schema:
        return schema
    found: _Schema = whole["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return found
