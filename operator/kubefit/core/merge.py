"""Merges `spec.podTemplate` into the pod template that the operator makes."""

from collections.abc import Mapping
from typing import Any


def merged(base: Any, patch: Any) -> Any:
    """Mappings key by key, lists of named items by name, everything else replaced; null removes."""
    if isinstance(base, Mapping) and isinstance(patch, Mapping):
        result = {key: value for key, value in base.items() if patch.get(key, value) is not None}
        for key, value in patch.items():
            if value is not None:
                result[key] = merged(base.get(key), value)
        return result
    if _named(base) and _named(patch):
        by_name = {item["name"]: item for item in base}
        for item in patch:
            by_name[item["name"]] = merged(by_name.get(item["name"]), item)
        return list(by_name.values())
    return patch


def _named(value: Any) -> bool:
    is_list = isinstance(value, list) and bool(value)
    return is_list and all(isinstance(item, Mapping) and "name" in item for item in value)
