"""Steps that are taken to find something out, and forgotten."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras


@contextmanager
def of(model: keras.Model) -> Iterator[None]:
    """Gives the model back the weights that it has now; every worker must do the same."""
    # The states of random numbers are variables too, but no weights.
    before = [variable.numpy() for variable in model.variables]
    try:
        yield
    finally:
        for variable, value in zip(model.variables, before, strict=True):
            variable.assign(value)
