"""What callbacks remember: attributes that training has changed, without pickling anything.

Numbers, texts, arrays, lists and dictionaries of them are kept, also one object deep in classes of
KubeFit; what holds files, models or functions is left to the callback's own `on_train_begin`.
"""

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
_ARRAY, _TUPLE, _ITEMS, _NUMBER = "$array", "$tuple", "$items", "$number"
_NOT_STATE = frozenset({"model", "_model", "params"})


class NotPlainError(Exception):
    """A value that is no plain data."""


class Settings:
    """How the program has set its callbacks up: as they are before they see any training.

    State is what training changes since then. All else is left to the program, which may have been
    given other settings meanwhile.
    """

    def __init__(self) -> None:
        self._first: dict[int, tuple[Any, dict[str, _Plain]]] = {}

    def see(self, callback: Any) -> None:
        """Remembers how a callback is, unless it was seen before."""
        if id(callback) not in self._first:
            # With the callback itself, so that no other one gets its id.
            self._first[id(callback)] = callback, _attributes(callback)

    def changed(self, callback: Any) -> dict[str, "_Plain"]:
        """What has changed since a callback was seen first."""
        _, first = self._first.get(id(callback), (None, {}))
        now = _attributes(callback)
        return {path: value for path, value in now.items() if not value.equals(first.get(path))}


@dataclass(frozen=True, slots=True)
class _Plain:
    """A value as JSON, and the arrays in it."""

    json: Any
    arrays: Arrays

    def equals(self, other: "_Plain | None") -> bool:
        return (
            other is not None
            and self.json == other.json
            and all(np.array_equal(array, other.arrays[key]) for key, array in self.arrays.items())
        )


def of(
    callback: Any,
    key: str,
    arrays: Arrays,
    settings: Settings,
    *,
    only: Collection[str] | None = None,
) -> dict[str, Any]:
    """State of a callback as JSON; its arrays are added to `arrays` under keys that begin `key`.

    With `only`, other attributes are left out.
    """
    changed = settings.changed(callback)
    if only is not None:
        changed = {path: value for path, value in changed.items() if path in only}
    for value in changed.values():
        arrays.update({f"{key}/{name}": array for name, array in value.arrays.items()})
    return {
        "class": type(callback).__qualname__,
        "monitor": _monitor(callback),
        "key": key,
        "state": {path: value.json for path, value in changed.items()},
    }


def restore(callback: Any, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Gives a callback that state back; False if it is of another class, or watches another value.

    What was best of one value says nothing of another.
    """
    if (state["class"], state["monitor"]) != (type(callback).__qualname__, _monitor(callback)):
        return False
    key = f"{state['key']}/"
    own = {name.removeprefix(key): a for name, a in arrays.items() if name.startswith(key)}
    for path, value in state["state"].items():
        *owners, name = path.split("/")
        _set(functools.reduce(getattr, owners, callback), name, restored(value, own))
    return True


def _monitor(callback: Any) -> str | None:
    found = getattr(callback, "monitor", None)
    return found if isinstance(found, str) else None


def _attributes(owner: Any, prefix: str = "") -> dict[str, _Plain]:
    found: dict[str, _Plain] = {}
    for name, value in vars(owner).items():
        path = f"{prefix}{name}"
        if name in _NOT_STATE:
            continue
        if type(value).__module__.startswith("kubefit_trainer.recipe.watching"):
            found |= _attributes(value, f"{path}/")
            continue
        arrays: Arrays = {}
        try:
            found[path] = _Plain(plain(value, path, arrays), arrays)
        except NotPlainError:
            continue
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
    raise NotPlainError


def _set(owner: Any, name: str, value: Any) -> None:
    there = vars(owner).get(name)
    if isinstance(there, dict) and isinstance(value, dict):
        # Filled anew instead of replaced: it may have a default, or be known elsewhere too.
        there.clear()
        there.update(value)
    else:
        setattr(owner, name, value)


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
