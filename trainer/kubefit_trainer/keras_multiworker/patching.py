"""How a repair replaces a piece of Keras: checked first, applied once.

A patch names the attribute it replaces and the parameters it expects there, so that a Keras in
which they moved is refused before training instead of being repaired wrongly.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kubefit_trainer.keras_multiworker.errors import UnsupportedVersionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An attribute of Keras, and the names of the parameters it must have."""

    owner: Any
    name: str
    parameters: tuple[str, ...] | None = None

    def check(self) -> None:
        """Raises `UnsupportedVersionError` unless the attribute is as expected."""
        found = getattr(self.owner, self.name, None)
        where = f"{getattr(self.owner, '__name__', self.owner)}.{self.name}"
        if found is None:
            raise UnsupportedVersionError(
                f"{where} does not exist in this version; install a supported one"
            )
        if self.parameters is None:
            return
        actual = tuple(inspect.signature(found).parameters)
        if actual != self.parameters:
            raise UnsupportedVersionError(
                f"{where} takes {actual}, not {self.parameters}; install a supported version"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """One repair: what it touches, and the function that puts it in place."""

    name: str
    targets: tuple[Target, ...]
    apply: Callable[[], None]


_applied: set[str] = set()


def apply_all(patches: tuple[Patch, ...]) -> None:
    """Checks every patch, then applies those that are not in place yet.

    Raises:
        UnsupportedVersionError: a target is missing or has other parameters; nothing was applied.

    """
    pending = [patch for patch in patches if patch.name not in _applied]
    for patch in pending:
        for target in patch.targets:
            target.check()
    for patch in pending:
        patch.apply()
        _applied.add(patch.name)
