"""Sums over a ring of real sockets, one thread per worker."""

import socket
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubefit_trainer.keras_multiworker.errors import DifferentProgramError, WorkerLostError
from kubefit_trainer.keras_multiworker.ring import PIECE, Ring, cut


def nobody_is_lost(numbers_are_missing: bool) -> None:
    """Peers of a test are threads of this process."""


def make_rings(workers: int, check: Callable[[bool], None] = nobody_is_lost) -> list[Ring]:
    links = [socket.socketpair() for _ in range(workers)]
    return [
        Ring(
            rank=rank,
            workers=workers,
            outgoing=links[rank][0],
            incoming=links[rank - 1][1],
            check=check,
        )
        for rank in range(workers)
    ]


def together(rings: list[Ring], work: Callable[[Ring, int], Any]) -> list[Any]:
    """What `work` returns or raises on every worker at once."""
    outcomes: list[Any] = [None] * len(rings)

    def run(rank: int) -> None:
        try:
            outcomes[rank] = work(rings[rank], rank)
        except Exception as error:
            outcomes[rank] = error

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(len(rings))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return outcomes


def numbers(sizes: list[int], rank: int) -> list[np.ndarray]:
    rng = np.random.default_rng(rank)
    return [rng.normal(size=size).astype(np.float32) for size in sizes]


@given(
    sizes=st.lists(st.integers(0, 5000), min_size=1, max_size=6),
    workers=st.integers(2, 5),
    halves=st.booleans(),
)
@settings(max_examples=60)
def test_every_worker_gets_the_same_sum(sizes, workers, halves):
    sums = together(
        make_rings(workers),
        lambda ring, rank: ring.all_sum(numbers(sizes, rank), halves=halves),
    )
    for i in range(len(sizes)):
        exact = np.sum([numbers(sizes, rank)[i] for rank in range(workers)], axis=0)
        # Every one of the partial sums is rounded to 8 bits.
        tolerance = workers * 2.0**-8 if halves else 1e-6
        np.testing.assert_allclose(sums[0][i], exact, rtol=0, atol=tolerance * workers * 4)
        for other in sums[1:]:
            np.testing.assert_array_equal(other[i], sums[0][i])


@pytest.mark.parametrize("workers", [2, 3])
def test_arrays_larger_than_what_travels_at_once(workers):
    size = 3 * PIECE + 7
    sums = together(
        make_rings(workers), lambda ring, rank: ring.all_sum([np.full(size, rank, np.float32)])
    )
    for result in sums:
        np.testing.assert_array_equal(result[0], np.full(size, sum(range(workers)), np.float32))


def test_numbers_that_are_not_finite_reach_all_workers():
    def work(ring: Ring, rank: int) -> list[np.ndarray]:
        mine = np.array([np.inf, np.nan, -np.inf, 1.0] if rank else [0.0] * 4, np.float32)
        return [ring.all_sum([mine], halves=halves)[0] for halves in (False, True)]

    for results in together(make_rings(2), work):
        for result in results:
            np.testing.assert_array_equal(result, np.array([np.inf, np.nan, -np.inf, 1.0]))


def test_a_result_in_use_is_never_overwritten():
    def work(ring: Ring, rank: int) -> list[np.ndarray]:
        kept = [ring.all_sum([np.full(9, turn, np.float32)])[0] for turn in range(3)]
        ring.all_sum([np.full(9, 9.0, np.float32)])
        return kept

    for kept in together(make_rings(2), work):
        assert [float(one[0]) for one in kept] == [0.0, 2.0, 4.0]


def test_memory_of_a_result_that_is_gone_is_used_again():
    def work(ring: Ring, rank: int) -> set[int]:
        return {ring.all_sum([np.ones(99, np.float32)])[0].ctypes.data for _ in range(5)}

    assert [len(places) for places in together(make_rings(2), work)] == [1, 1]


def test_a_lost_neighbour_is_named():
    def work(ring: Ring, rank: int) -> None:
        if rank == 1:
            for connection in (ring._incoming, ring._outgoing):
                connection.close()
            return
        ring.all_sum([np.ones(2_000_000, np.float32)])

    outcomes = together(make_rings(3), work)
    assert isinstance(outcomes[0], WorkerLostError)
    assert "lost its connection to worker 1" in str(outcomes[0])
    assert isinstance(outcomes[2], WorkerLostError)
    assert "lost its connection to worker 1" in str(outcomes[2])


def test_an_end_that_is_passed_on_is_not_taken_for_the_loss():
    def work(ring: Ring, rank: int) -> None:
        if rank == 1:
            for connection in (ring._incoming, ring._outgoing):
                connection.close()
            return
        ring.all_sum([np.ones(3, np.float32)])

    outcomes = together(make_rings(3), work)
    for rank in (0, 2):
        assert "lost its connection to worker 1" in str(outcomes[rank])


def test_workers_at_different_places_of_their_programs_are_told_so():
    outcomes = together(
        make_rings(2), lambda ring, rank: ring.all_sum([np.ones(4 + rank, np.float32)])
    )
    for rank, outcome in enumerate(outcomes):
        assert isinstance(outcome, DifferentProgramError)
        assert f"worker {1 - rank} is at its sum 0 of {5 - rank} numbers of 32 bits" in str(outcome)
        assert "the same program" in str(outcome)


def test_after_a_failure_neither_neighbour_reads_what_was_on_its_way():
    def work(ring: Ring, rank: int) -> list[str]:
        errors = []
        for size in (4 + rank, 4):
            try:
                ring.all_sum([np.ones(size, np.float32)])
            except (DifferentProgramError, WorkerLostError) as error:
                errors.append(type(error).__name__)
        return errors

    for errors in together(make_rings(2), work):
        assert errors[1] == "WorkerLostError"


def test_a_silent_neighbour_is_asked_about():
    class LostError(Exception):
        """What the check finds."""

    def lost(numbers_are_missing: bool) -> None:
        if numbers_are_missing:
            raise LostError

    outcomes = together(
        make_rings(2, check=lost),
        lambda ring, rank: ring.all_sum([np.ones(4, np.float32)]) if rank == 0 else None,
    )
    assert isinstance(outcomes[0], LostError)


@given(
    sizes=st.lists(st.integers(0, 50), min_size=1, max_size=8),
    segments=st.integers(1, 6),
    limit=st.integers(1, 9),
)
def test_pieces_cover_every_number_once_in_order(sizes, segments, limit):
    cuts = cut(sizes, segments, limit)
    assert len(cuts) == segments
    covered = [
        (piece.array, i)
        for pieces in cuts
        for piece in pieces
        for i in range(piece.start, piece.stop)
    ]
    assert covered == [(array, i) for array, size in enumerate(sizes) for i in range(size)]
    assert all(piece.stop - piece.start <= limit for pieces in cuts for piece in pieces)
    lengths = [sum(piece.stop - piece.start for piece in pieces) for pieces in cuts]
    assert max(lengths) - min(lengths) <= 1
