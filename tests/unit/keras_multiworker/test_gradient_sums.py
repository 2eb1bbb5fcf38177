"""Sums under way over a ring of real sockets; both workers are in this process."""

import socket

import numpy as np
import pytest

from kubefit_trainer.keras_multiworker.errors import DifferentProgramError, WorkerLostError
from kubefit_trainer.keras_multiworker.gradient_sums import GradientSums
from kubefit_trainer.keras_multiworker.ring import Ring


@pytest.fixture
def links() -> list[tuple[socket.socket, socket.socket]]:
    return [socket.socketpair(), socket.socketpair()]


@pytest.fixture
def workers(links) -> list[GradientSums]:
    return [
        GradientSums(
            Ring(
                rank=rank,
                workers=2,
                outgoing=links[rank][0],
                incoming=links[rank - 1][1],
                check=lambda numbers_are_missing: None,
            )
        )
        for rank in range(2)
    ]


def test_sums_are_begun_before_other_workers_are_there_and_end_in_any_order(workers) -> None:
    begun = [
        [one.begin([np.full(size, rank + size, np.float32)]) for size in (3, 5, 7)]
        for rank, one in enumerate(workers)
    ]
    for one, numbers in zip(workers, begun, strict=True):
        for size, number in reversed(list(zip((3, 5, 7), numbers, strict=True))):
            assert one.end(number)[0].tolist() == [2 * size + 1] * size


def test_what_went_wrong_is_raised_where_the_sum_is_waited_for(workers) -> None:
    numbers = [
        workers[0].begin([np.ones(3, np.float32)]),
        workers[1].begin([np.ones(4, np.float32)]),
    ]
    for one, number in zip(workers, numbers, strict=True):
        with pytest.raises((DifferentProgramError, WorkerLostError)):
            one.end(number)


def test_sums_after_one_that_failed_fail_too(workers, links) -> None:
    links[1][0].close()
    for _ in range(2):
        number = workers[0].begin([np.ones(3, np.float32)])
        with pytest.raises(WorkerLostError, match="worker 0 has lost its connection to worker 1"):
            workers[0].end(number)
