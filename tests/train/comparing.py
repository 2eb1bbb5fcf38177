"""What N workers return of a training, compared with what one process returns."""

from collections.abc import Sequence
from typing import Any

import numpy as np

Tolerance = tuple[float, float]
"""Relative and absolute, as NumPy adds them."""


def assert_same_training(
    single: Any,
    workers: Sequence[Any],
    *,
    logs: Tolerance = (1e-4, 1e-5),
    weights: Tolerance = (1e-4, 1e-5),
) -> None:
    """Logs and weights of every worker are those of one process, weights the same to the last bit.

    Args:
        single: dict with `logs` and `weights`, or several of them.
        workers: the same of each worker.
        logs: tolerance of losses and metrics.
        weights: tolerance of weights.

    """
    if not isinstance(single, dict):
        for case, expected in enumerate(single):
            mine = [worker[case] for worker in workers]
            assert_same_training(expected, mine, logs=logs, weights=weights)
        return
    for worker in workers:
        assert worker["logs"].keys() == single["logs"].keys()
        for name, values in single["logs"].items():
            assert_close(worker["logs"][name], values, logs, name)
        for mine, expected in zip(worker["weights"], single["weights"], strict=True):
            assert_close(mine, expected, weights)
        for mine, chiefs in zip(worker["weights"], workers[0]["weights"], strict=True):
            np.testing.assert_array_equal(mine, chiefs)


def assert_close(mine: Any, expected: Any, tolerance: Tolerance, name: str = "") -> None:
    """Two arrays differ by no more than the tolerance."""
    relative, absolute = tolerance
    np.testing.assert_allclose(mine, expected, rtol=relative, atol=absolute, err_msg=name)
