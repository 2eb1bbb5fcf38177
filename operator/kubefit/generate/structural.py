"""JSON schema as pydantic writes it, turned into the structural schema that a CRD must have.

Pure. What has no faithful form in a CRD is refused with its path rather than dropped.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = dict[str, Any]

_KEPT = (
    "description",
    "type",
    "format",
    "enum",
    "default",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
)
_HANDLED = {
    *_KEPT,
    "$defs",
    "$ref",
    "title",
    "const",
    "properties",
    "required",
    "items",
    "additionalProperties",
}
_ADVICE = {
    "exclusiveMinimum": "CRDs know it only as a boolean, use ge instead of gt",
    "exclusiveMaximum": "CRDs know it only as a boolean, use le instead of lt",
    "anyOf": "write an optional field as `T | SkipJsonSchema[None]`",
    "prefixItems": "use a list with bounds instead of a tuple",
}


class NotStructuralError(ValueError):
    """A model uses what a CRD cannot express."""


def structural(schema: Schema) -> Schema:
    """The structural form of a whole pydantic schema: references inlined, noise taken away."""
    return _Inliner(schema.get("$defs", {})).convert(schema, path="", open_refs=())


def without_nulls(value: Any) -> Any:
    """Absent fields instead of nulls, at any depth: what the API server stores."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


class _Inliner:
    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self.definitions = definitions

    def convert(self, schema: Schema, *, path: str, open_refs: tuple[str, ...]) -> Schema:
        schema, open_refs = self._resolved(schema, path=path, open_refs=open_refs)
        _refuse_unknown(schema, path)
        converted = {key: schema[key] for key in _KEPT if key in schema}
        if "const" in schema:
            converted["enum"] = [schema["const"]]
        if converted.get("default", ...) is None:
            del converted["default"]
        if "default" in converted:
            converted["default"] = without_nulls(converted["default"])
        for key, inner in self._children(schema, path):
            converted[key] = self._converted_children(key, inner, path, open_refs)
        if schema.get("required"):
            converted["required"] = schema["required"]
        converted |= {k: v for k, v in schema.items() if k.startswith("x-kubernetes-")}
        return converted

    def _resolved(
        self, schema: Schema, *, path: str, open_refs: tuple[str, ...]
    ) -> tuple[Schema, tuple[str, ...]]:
        """What a field says of itself wins over what its type says."""
        if "$ref" not in schema:
            return schema, open_refs
        name = schema["$ref"].removeprefix("#/$defs/")
        if name in open_refs:
            raise NotStructuralError(f"{path}: {name} contains itself, which a CRD cannot express")
        own = {key: value for key, value in schema.items() if key != "$ref"}
        return {**self.definitions[name], **own}, (*open_refs, name)

    def _children(self, schema: Schema, path: str) -> Iterator[tuple[str, Any]]:
        if "properties" in schema:
            if schema.get("additionalProperties"):
                raise NotStructuralError(
                    f"{path}: properties beside additionalProperties; forbid extra fields"
                )
            yield "properties", schema["properties"]
        elif schema.get("additionalProperties"):
            if schema["additionalProperties"] is True:
                raise NotStructuralError(f"{path}: a map of anything; use FreeForm")
            yield "additionalProperties", schema["additionalProperties"]
        if "items" in schema:
            yield "items", schema["items"]

    def _converted_children(
        self, key: str, inner: Any, path: str, open_refs: tuple[str, ...]
    ) -> Schema:
        if key == "properties":
            return {
                name: self.convert(field, path=f"{path}.{name}".strip("."), open_refs=open_refs)
                for name, field in inner.items()
            }
        return self.convert(inner, path=f"{path}[]", open_refs=open_refs)


def _refuse_unknown(schema: Schema, path: str) -> None:
    for key in schema:
        if key not in _HANDLED and not key.startswith("x-kubernetes-"):
            advice = _ADVICE.get(key, "CRDs do not know it or KubeFit does not need it")
            raise NotStructuralError(f"{path}: schema keyword {key}: {advice}")
