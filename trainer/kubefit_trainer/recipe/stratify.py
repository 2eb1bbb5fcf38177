"""Parts of a set of images with any number of classes each, every class in the parts alike.

Iterative stratification (Sechidis, Tsoumakas, Vlahavas: On the stratification of multi-label data,
ECML PKDD 2011): images of the class that has the fewest left are dealt out first, each to the part
that lacks most of that class. Unlike there a part takes no image once it has its number.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def parts(
    flags: NDArray[Any], sizes: Sequence[int], order: NDArray[np.int64]
) -> list[NDArray[np.int64]]:
    """Numbers of the images of each part, ascending.

    Args:
        flags: 0 or 1 for each image and class, (images, classes).
        sizes: Images of each part, all images together; of two that lack alike the first takes.
        order: All images, in the order in which they are dealt out.

    """
    rows = flags[order].astype(bool)
    part = np.full(len(rows), -1)
    room = np.asarray(sizes, np.int64)
    left = rows.sum(axis=0)
    lacks = np.outer(room / max(1, len(rows)), left)

    def deal(row: int, wanted: NDArray[np.float64]) -> None:
        nonlocal left
        # The part that lacks most; of those that lack alike the one with most room.
        taker = int(np.lexsort((-room, -np.where(room > 0, wanted, -np.inf)))[0])
        part[row] = taker
        room[taker] -= 1
        lacks[taker] -= rows[row]
        left = left - rows[row]

    while left.any():
        rarest = int(np.where(left > 0, left, len(rows) + 1).argmin())
        for row in np.flatnonzero(rows[:, rarest] & (part < 0)).tolist():
            deal(row, lacks[:, rarest])
    for row in np.flatnonzero(part < 0).tolist():
        deal(row, room.astype(np.float64))
    return [np.sort(order[part == number]) for number in range(len(sizes))]
