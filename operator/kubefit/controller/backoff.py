"""How long to wait before what failed is tried again."""

import random

_FIRST_SECONDS = 0.5


def delay(failures: int, *, at_most: float) -> float:
    """Twice as long after each failure in a row; at random, so that not all come back at once."""
    seconds = min(at_most, _FIRST_SECONDS * 2.0 ** min(failures, 16))
    return seconds * random.uniform(0.5, 1.0)
