"""What callbacks remember: their attributes that are plain data, without pickling anything.

Numbers, texts, arrays, lists and dictionaries of them are kept, also one object deep in classes of
KubeFit; what holds files, models or functions is left to the callback's own `on_train_begin`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
_ARRAY, _TUPLE, _OBJECT, _ITEMS, _NUMBER = "$array", "$tuple", "$object", "$items", "$number"
_NOT_STATE = frozenset({"model", "_model", "params"})


class NotPlainError(Exception):
    """A value that is no plain data."""


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
            found[name] = plain(value, f"{key}/{name}", own)
        except NotPlainError:
            continue
        arrays.update(own)
    return found


def plain(value: Any, key: str, arrays: Arrays) -> Any:
    """A value as JSON; its arrays are added to `arrays` under keys that begin `key`.

    Raises:
        NotPlainError: it is none of numbers, texts, arrays, lists and dictionaries.

    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        number = value.item()
        # Dates, complex numbers and those of more than 64 bits are nothing that JSON has.
        if not isinstance(number, (bool, int, float)):
            raise NotPlainError
        return {_NUMBER: [value.dtype.str, number]}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        arrays[key] = np.array(value)
        return {_ARRAY: key}
    if isinstance(value, (list, tuple)):
        items = [plain(item, f"{key}/{i}", arrays) for i, item in enumerate(value)]
        return {_TUPLE: items} if isinstance(value, tuple) else items
    if isinstance(value, dict):
        if all(isinstance(name, str) for name in value):
            return {name: plain(item, f"{key}/{name}", arrays) for name, item in value.items()}
        return {_ITEMS: [plain(item, f"{key}/{i}", arrays) for i, item in enumerate(value.items())]}
    if type(value).__module__.startswith("kubefit_trainer.recipe.watching"):
        return {_OBJECT: _attributes(value, key, arrays)}
    raise NotPlainError


def _set(owner: Any, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    for name, value in state.items():
        if isinstance(value, dict) and _OBJECT in value:
            _set(getattr(owner, name), value[_OBJECT], arrays)
            continue
        found, there = restored(value, arrays), vars(owner).get(name)
        if isinstance(there, dict) and isinstance(found, dict):
            # Filled anew instead of replaced: it may have a default, or be known elsewhere too.
            there.clear()
            there.update(found)
        else:
            setattr(owner, name, found)


def restored(value: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """The value that `plain` has made JSON of."""
    if isinstance(value, list):
        return [restored(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if _ARRAY in value:
        return np.array(arrays[value[_ARRAY]])
    if _TUPLE in value:
        return tuple(restored(item, arrays) for item in value[_TUPLE])
    if _NUMBER in value:
        kind, number = value[_NUMBER]
        return np.dtype(kind).type(number)
    if _ITEMS in value:
        return dict(restored(item, arrays) for item in value[_ITEMS])
    return {name: restored(item, arrays) for name, item in value.items()}
