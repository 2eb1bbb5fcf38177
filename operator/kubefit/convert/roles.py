"""From the replicas of a TFJob to workers that are all alike."""

from collections.abc import Iterator
from typing import Any

from kubefit.convert.fields import Fields, Note
from kubefit.core.merge import merged

_CHIEFS = ("Chief", "Master")
_ROLES = {name.lower(): name for name in (*_CHIEFS, "Worker", "PS", "Evaluator")}
_NO_COUNTERPART = {
    "PS": (
        "parameter servers have no counterpart and are left out: workers train in lockstep, each"
        " with all variables; take ParameterServerStrategy, sessions and estimators out of the"
        " program, and nothing else is needed for fit of Keras"
    ),
    "Evaluator": (
        "an evaluator has no counterpart and is left out: give fit the validation_data, or call"
        " evaluate after it"
    ),
}
_OF_CHIEF = (
    "is worker 0: in TF_CONFIG all are of type worker, so where the program looks for type chief"
    " or master it has to look for index 0"
)


def workers(spec: Fields) -> tuple[int, Fields]:
    """The number of workers, chief included, and what they all are like.

    Raises:
        UnconvertibleError: there are none.

    """
    replicas = spec.part("tfReplicaSpecs")
    roles: dict[str, Fields] = {}
    for key in list(replicas.left):
        role = _ROLES.get(key.lower(), key)
        if role in _NO_COUNTERPART:
            replicas.leave(key, _NO_COUNTERPART[role])
        elif role in _ROLES.values():
            roles[role] = replicas.part(key)
    counts = {role: _count(fields) for role, fields in roles.items()}
    chiefs = [role for role in _CHIEFS if counts.get(role)]
    if not chiefs and not counts.get("Worker"):
        raise spec.refusal("tfReplicaSpecs", "has no Worker and no Chief, so there is no program")
    for role in chiefs:
        replicas.note(role, _OF_CHIEF)
    same = [roles[role] for role in (*chiefs, *(["Worker"] if counts.get("Worker") else []))]
    return sum(counts.values()), _alike(replicas, same)


def _count(role: Fields) -> int:
    count = role.number("replicas")
    if count is not None and count < 0:
        raise role.refusal("replicas", f"{count} is less than 0")
    return 1 if count is None else count


def _alike(replicas: Fields, roles: list[Fields]) -> Fields:
    """What all have in common: the last one's, and what the others have beside it."""
    *others, last = roles
    name = last.path.rpartition(".")[2]
    for other in others:
        for path, own, its in differences(other.left, last.left, other.path):
            replicas.notes.append(_difference(path, own, its, name))
        last.left = merged(other.left, last.left)
        other.left = {}
    return last


def differences(one: Any, other: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Where two values differ: the path in the first, and what either has there."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in {**one, **other}:
            yield from differences(one.get(key), other.get(key), f"{path}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and _named(one) and _named(other):
        by_name = {item["name"]: item for item in other}
        for i, item in enumerate(one):
            yield from differences(item, by_name.pop(item["name"], None), f"{path}[{i}]")
        for name, item in by_name.items():
            yield f"{path}[{name}]", None, item
    elif one != other:
        yield path, one, other


def _named(items: list[Any]) -> bool:
    names = [item.get("name") for item in items if isinstance(item, dict)]
    return None not in names and len(set(names)) == len(items)


def _difference(path: str, own: Any, its: Any, name: str) -> Note:
    if its is None:
        return Note(path, f"all workers get it, not the chief alone ({_short(own)})")
    if own is None:
        return Note(path, f"is not set here, but for {name}: the chief gets it too ({_short(its)})")
    return Note(path, f"all workers are alike: {_short(its)} of {name}, in place of {_short(own)}")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
