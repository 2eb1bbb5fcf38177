"""Numbers of the epochs of a program, over all of its calls of `fit`."""

from collections.abc import Iterable


def next_number(before: int, epoch: int) -> int:
    """Number from 1 of an epoch that Keras calls `epoch`, from 0, and that follows `before`.

    Calls of `fit` that count their epochs through keep their numbers; where one begins at 0 again,
    the numbers go on.
    """
    return max(before, epoch) + 1


def last_number(epochs: Iterable[int]) -> int:
    """Number of the last of these epochs, in the order of training; 0 if there is none."""
    number = 0
    for epoch in epochs:
        number = next_number(number, epoch)
    return number
