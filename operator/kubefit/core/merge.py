"""Merges `spec.podTemplate` into the pod template that the operator makes."""

from collections.abc import Mapping
from typing import Any

_KEYS = ("mountPath", "name")
"""What tells the items of a list apart; one volume may be mounted at several places."""


def merged(base: Any, patch: Any) -> Any:
    """Mappings key by key, lists of named items by name, everything else replaced; null removes.

    Mounts of volumes are told apart by their path.
    """
    if isinstance(base, Mapping) and isinstance(patch, Mapping):
        result = {key: value for key, value in base.items() if patch.get(key, value) is not None}
        for key, value in patch.items():
            if value is not None:
                result[key] = merged(base.get(key), value)
        return result
    for key in _KEYS:
        if _keyed(base, key) and _keyed(patch, key):
            by_key = {item[key]: item for item in base}
            for item in patch:
                by_key[item[key]] = merged(by_key.get(item[key]), item)
            return list(by_key.values())
    return patch


def _keyed(value: Any, key: str) -> bool:
    is_list = isinstance(value, list) and bool(value)
    return is_list and all(isinstance(item, Mapping) and key in item for item in value)
