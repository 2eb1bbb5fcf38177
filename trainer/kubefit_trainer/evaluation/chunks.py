"""Large arrays a few rows at a time: what is computed of them takes little memory beside them."""

from collections.abc import Iterator

_NUMBERS = 1 << 18
"""Numbers of a chunk, where one row has no more."""


def chunks(rows: int, columns: int = 1) -> Iterator[slice]:
    """Slices that cover so many rows."""
    size = max(1, _NUMBERS // max(1, columns))
    for first in range(0, rows, size):
        yield slice(first, first + size)
