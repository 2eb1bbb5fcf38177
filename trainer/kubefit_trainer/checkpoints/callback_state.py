"""What callbacks remember: their attributes that are plain data, without pickling anything.

Numbers, texts, arrays, lists and dictionaries of them are kept, also one object deep in classes of
KubeFit; what holds files, models or functions is left to the callback's own `on_train_begin`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
_ARRAY, _TUPLE, _OBJECT = "$array", "$tuple", "$object"
_NOT_STATE = frozenset({"model", "_model", "params"})


class _NotPlainError(Exception):
    pass


def of(callback: Any, key: str, arrays: Arrays) -> dict[str, Any]:
    """State of a callback as JSON; its arrays are added to `arrays` under keys that begin `key`."""
    return {
        "class": type(callback).__qualname__,
        "state": _attributes(callback, key, arrays),
    }


def restore(callback: Any, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Gives a callback that state back; False if it is the state of another class."""
    if state["class"] != type(callback).__qualname__:
        return False
    _set(callback, state["state"], arrays)
    return True


def _attributes(owner: Any, key: str, arrays: Arrays) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in vars(owner).items():
        if name in _NOT_STATE:
            continue
        own: Arrays = {}
        try:
            found[name] = _plain(value, f"{key}/{name}", own)
        except _NotPlainError:
            continue
        arrays.update(own)
    return found


def _plain(value: Any, key: str, arrays: Arrays) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        arrays[key] = np.array(value)
        return {_ARRAY: key}
    if isinstance(value, (list, tuple)):
        items = [_plain(item, f"{key}/{i}", arrays) for i, item in enumerate(value)]
        return {_TUPLE: items} if isinstance(value, tuple) else items
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {name: _plain(item, f"{key}/{name}", arrays) for name, item in value.items()}
    if type(value).__module__.startswith("kubefit_trainer.recipe.watching"):
        return {_OBJECT: _attributes(value, key, arrays)}
    raise _NotPlainError


def _set(owner: Any, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    for name, value in state.items():
        if isinstance(value, dict) and _OBJECT in value:
            _set(getattr(owner, name), value[_OBJECT], arrays)
        else:
            setattr(owner, name, _value(value, arrays))


def _value(value: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if isinstance(value, list):
        return [_value(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if _ARRAY in value:
        return np.array(arrays[value[_ARRAY]])
    if _TUPLE in value:
        return tuple(_value(item, arrays) for item in value[_TUPLE])
    return {name: _value(item, arrays) for name, item in value.items()}
