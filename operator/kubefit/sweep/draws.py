"""The values that trials take: pure functions of the sweep and the number of the trial."""

import hashlib
import itertools
import json
import math
from typing import Any

from kubefit.sweep.definition import Bounds, Parameter, Search, SweepSpec

_DIGITS = 6
_TRIES = 100
"""Draws in a row that are there already after which nothing new is expected."""

Values = dict[str, Any]
"""By the paths of the parameters."""


class TooFewError(Exception):
    """There are fewer combinations or numbers than asked for: one sentence."""


def all_values(spec: SweepSpec) -> list[Values]:
    """The values of every trial, in order; no two trials have the same.

    Raises:
        TooFewError: that cannot be.

    """
    if spec.search is Search.GRID:
        columns = [_grid(number, parameter) for number, parameter in enumerate(spec.parameters)]
        paths = [parameter.path for parameter in spec.parameters]
        return [dict(zip(paths, row, strict=True)) for row in itertools.product(*columns)]
    found: dict[str, Values] = {}
    wanted, misses = spec.trials or 0, 0
    for number in itertools.count():
        drawn = {p.path: _drawn(p, _share(spec.seed, number, p.path)) for p in spec.parameters}
        key = json.dumps(drawn, sort_keys=True, default=str)
        misses = misses + 1 if key in found else 0
        found.setdefault(key, drawn)
        if len(found) == wanted:
            break
        if misses > _TRIES:
            raise TooFewError(
                f"spec.trials: {wanted} trials were asked for, but the parameters have hardly more"
                f" than {len(found)} combinations; search: grid takes each once"
            )
    return list(found.values())


def _share(seed: int, number: int, path: str) -> float:
    """A number of [0, 1) that depends on nothing else, on any machine and version."""
    digest = hashlib.sha256(f"{seed}/{number}/{path}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48


def _drawn(parameter: Parameter, share: float) -> Any:
    if parameter.values is not None:
        return parameter.values[int(share * len(parameter.values))]
    if parameter.integer is not None:
        low, high = parameter.integer.min, parameter.integer.max
        return low + int(share * (high - low + 1))
    return _between(parameter, share)


def _grid(place: int, parameter: Parameter) -> list[Any]:
    if parameter.values is not None:
        return parameter.values
    if parameter.integer is not None:
        return list(range(parameter.integer.min, parameter.integer.max + 1))
    points = _bounds(parameter).points or 2
    found = dict.fromkeys(_between(parameter, n / (points - 1)) for n in range(points))
    if len(found) < points:
        kind = "log" if parameter.log else "linear"
        raise TooFewError(
            f"spec.parameters[{place}].{kind}.points: {points} points were asked for, but numbers"
            f" of {_DIGITS} digits between these bounds are only {len(found)}; take fewer points,"
            " or values"
        )
    return list(found)


def _bounds(parameter: Parameter) -> Bounds:
    bounds = parameter.log or parameter.linear
    if bounds is None:
        raise ValueError(f"{parameter.path} has no range")
    return bounds


def _between(parameter: Parameter, share: float) -> float:
    """With as many digits as people write, and never outside."""
    bounds = _bounds(parameter)
    if parameter.log is not None:
        low, high = math.log(bounds.min), math.log(bounds.max)
        value = math.exp(low + share * (high - low))
    else:
        value = bounds.min + share * (bounds.max - bounds.min)
    return min(bounds.max, max(bounds.min, float(f"{value:.{_DIGITS}g}")))
