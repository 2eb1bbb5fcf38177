"""Sums of arrays over all workers by a ring of TCP connections; NumPy, ml_dtypes and sockets.

Every worker sends to the next rank and receives from the one before (Patarasuk, Yuan: Bandwidth
optimal all-reduce algorithms, 2009). The arrays count as one row of numbers, cut into as many
segments as there are workers. A segment travels round once while every worker adds its own numbers,
and once more so that every worker gets the sum; all of it is one stream of pieces, each passed on
as soon as it is there. So every worker has the same sums to the last bit.
"""

import contextlib
import itertools
import select
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from kubefit_trainer.keras_multiworker.errors import DifferentProgramError, WorkerLostError

PIECE = 1 << 18
"""Numbers that travel together: 1 MiB of float32, which stays in the processor's cache."""
_HEADER = struct.Struct("<QQB")
_ALIGNMENT = 64
"""Bytes; TensorFlow takes over an array that is aligned so, and copies any other."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Piece:
    """Numbers `start` to `stop` of one array."""

    array: int
    start: int
    stop: int


def cut(sizes: Sequence[int], segments: int, limit: int = PIECE) -> list[list[Piece]]:
    """Pieces of at most `limit` numbers that make up each segment of the arrays in a row."""
    total = sum(sizes)
    bounds = [total * segment // segments for segment in range(segments + 1)]
    cuts: list[list[Piece]] = []
    array = offset = 0
    for begin, end in itertools.pairwise(bounds):
        pieces = []
        while begin < end:
            while offset == sizes[array]:
                array, offset = array + 1, 0
            size = min(limit, sizes[array] - offset, end - begin)
            pieces.append(Piece(array, offset, offset + size))
            offset, begin = offset + size, begin + size
        cuts.append(pieces)
    return cuts


class Ring:
    """Place of a worker in the ring; one sum at a time, in the same order on every worker."""

    def __init__(
        self,
        *,
        rank: int,
        workers: int,
        incoming: socket.socket,
        outgoing: socket.socket,
        check: Callable[[bool], None],
    ) -> None:
        """Takes over connected sockets: from rank - 1 and to rank + 1.

        `check` is called about once a second while nothing moves, with whether it is numbers of
        rank - 1 that are missing; it raises if that is because a worker is lost.
        """
        self._rank, self._workers = rank, workers
        self._incoming, self._outgoing = incoming, outgoing
        self._check = check
        self._sums = 0
        self._memory = _Memory()
        for connection in (incoming, outgoing):
            connection.setblocking(False)

    def all_sum(self, arrays: Sequence[Floats], *, halves: bool = False) -> list[Floats]:
        """Sums one-dimensional float32 arrays over all workers.

        Args:
            arrays: the same number and sizes on every worker; not changed.
            halves: sends bfloat16, each partial sum rounded to the nearest.

        Raises:
            WorkerLostError: a neighbour is gone.
            DifferentProgramError: a neighbour sums other arrays.

        """
        try:
            return self._all_sum(arrays, halves)
        except BaseException:
            # Half a sum is on its way: the next worker may not take what follows for its rest. It
            # ends too, and so the end goes round.
            with contextlib.suppress(OSError):
                self._outgoing.shutdown(socket.SHUT_WR)
            raise

    def _all_sum(self, arrays: Sequence[Floats], halves: bool) -> list[Floats]:
        sums = [self._memory.array(array.size) for array in arrays]
        segments = cut([array.size for array in arrays], self._workers)
        wire = (_Halves if halves else _Exact)(arrays, sums)
        header = _HEADER.pack(self._sums, sum(array.size for array in arrays), halves)
        waiting = deque((arrays, piece) for piece in segments[self._rank])
        sending = _Sending(memoryview(header), waiting, wire)
        self._meet(header, sending)
        rounds = 2 * (self._workers - 1)
        for turn in range(rounds):
            for piece in segments[(self._rank - 1 - turn) % self._workers]:
                if turn < self._workers - 1:
                    self._receive(wire.landing(piece), sending)
                    wire.add(piece, final=turn == self._workers - 2)
                else:
                    self._receive(wire.place(piece), sending)
                    wire.placed(piece)
                if turn < rounds - 1:
                    waiting.append((sums, piece))
        while sending.more():
            if not self._send(sending):
                self._wait(sending, reading=False)
        self._sums += 1
        return sums

    def _meet(self, header: bytes, sending: "_Sending") -> None:
        """Reads what the previous worker is about to sum; it must be what this one sums."""
        theirs = bytearray(_HEADER.size)
        self._receive(memoryview(theirs), sending)
        if theirs != header:
            there, here = (_HEADER.unpack(one) for one in (theirs, header))
            raise DifferentProgramError(
                f"worker {self._before} is at {_described(*there)} while worker {self._rank} is at "
                f"{_described(*here)}; all workers must run the same program with the same settings"
            )

    @property
    def _before(self) -> int:
        return (self._rank - 1) % self._workers

    def _receive(self, target: memoryview, sending: "_Sending") -> None:
        got = 0
        while got < len(target):
            try:
                count = self._incoming.recv_into(target[got:])
            except BlockingIOError:
                if not self._send(sending):
                    self._wait(sending, reading=True)
                continue
            except OSError as error:
                raise self._broken(self._before) from error
            if count == 0:
                raise self._broken(self._gone())
            got += count
        self._send(sending)

    def _send(self, sending: "_Sending") -> bool:
        """Sends what goes without waiting; whether anything went."""
        sent = False
        while sending.more():
            try:
                sending.done(self._outgoing.send(sending.head))
            except BlockingIOError:
                return sent
            except OSError as error:
                raise self._broken((self._rank + 1) % self._workers) from error
            sent = True
        return sent

    def _wait(self, sending: "_Sending", *, reading: bool) -> None:
        poll = select.poll()
        if reading:
            poll.register(self._incoming, select.POLLIN)
        if sending.more():
            poll.register(self._outgoing, select.POLLOUT)
        while not poll.poll(1000):
            self._check(reading)

    def _gone(self) -> int:
        """Which neighbour to name: one that is lost, rather than one that passes the end on."""
        poll = select.poll()
        poll.register(self._outgoing, select.POLLRDHUP)
        return (self._rank + 1) % self._workers if poll.poll(0) else self._before

    def _broken(self, neighbour: int) -> WorkerLostError:
        return WorkerLostError(f"worker {self._rank} has lost its connection to worker {neighbour}")


def _described(number: int, size: int, halves: bool) -> str:
    return f"its sum {number} of {size} numbers of {16 if halves else 32} bits"


class _Memory:
    """Arrays for results; one that nobody refers to any more is given out again.

    The pages of fresh memory would cost more than sending what is written to them.
    """

    def __init__(self) -> None:
        self._blocks: dict[int, list[NDArray[np.uint8]]] = {}

    def array(self, size: int) -> Floats:
        blocks = self._blocks.setdefault(size, [])
        for i in range(len(blocks)):
            # One reference is that of the list, one that of the call.
            if sys.getrefcount(blocks[i]) == 2:
                return _aligned(blocks[i])
        blocks.append(np.empty(4 * size + _ALIGNMENT, np.uint8))
        return _aligned(blocks[-1])


def _aligned(block: NDArray[np.uint8]) -> Floats:
    start = -block.ctypes.data % _ALIGNMENT
    return block[start : block.size - _ALIGNMENT + start].view(np.float32)


class _Sending:
    """What is still to be sent: the bytes under way, then pieces in order."""

    def __init__(
        self, head: memoryview, waiting: "deque[tuple[Sequence[Floats], Piece]]", wire: "_Wire"
    ) -> None:
        self.head = head
        self._waiting, self._wire = waiting, wire

    def more(self) -> bool:
        """Whether `head` has bytes; takes the next piece when it is used up."""
        if not self.head and self._waiting:
            arrays, piece = self._waiting.popleft()
            self.head = self._wire.outgoing(_part(arrays, piece))
        return bool(self.head)

    def done(self, count: int) -> None:
        self.head = self.head[count:]


class _Exact:
    """Pieces travel as the float32 numbers they are."""

    def __init__(self, arrays: Sequence[Floats], sums: Sequence[Floats]) -> None:
        self._arrays, self._sums = arrays, sums
        self._landing = np.empty(PIECE, np.float32)

    def outgoing(self, numbers: Floats) -> memoryview:
        return _bytes(numbers)

    def landing(self, piece: Piece) -> memoryview:
        return _bytes(self._landing[: piece.stop - piece.start])

    def add(self, piece: Piece, *, final: bool) -> None:
        mine = _part(self._arrays, piece)
        np.add(mine, self._landing[: mine.size], out=_part(self._sums, piece))

    def place(self, piece: Piece) -> memoryview:
        return _bytes(_part(self._sums, piece))

    def placed(self, piece: Piece) -> None:
        pass


class _Halves:
    """Pieces travel rounded to bfloat16; sums are made in float32."""

    def __init__(self, arrays: Sequence[Floats], sums: Sequence[Floats]) -> None:
        self._arrays, self._sums = arrays, sums
        self._leaving, self._landing = (np.empty(PIECE, ml_dtypes.bfloat16) for _ in range(2))

    def outgoing(self, numbers: Floats) -> memoryview:
        self._leaving[: numbers.size] = numbers
        return _bytes(self._leaving[: numbers.size])

    def landing(self, piece: Piece) -> memoryview:
        return _bytes(self._landing[: piece.stop - piece.start])

    place = landing

    def add(self, piece: Piece, *, final: bool) -> None:
        mine, result = _part(self._arrays, piece), _part(self._sums, piece)
        self.placed(piece)
        np.add(mine, result, out=result)
        if final:
            # What the others will get is what this worker keeps.
            self._landing[: mine.size] = result
            self.placed(piece)

    def placed(self, piece: Piece) -> None:
        result = _part(self._sums, piece)
        result[:] = self._landing[: result.size]


_Wire = _Exact | _Halves


def _part(arrays: Sequence[Floats], piece: Piece) -> Floats:
    return arrays[piece.array][piece.start : piece.stop]


def _bytes(array: NDArray[Any]) -> memoryview:
    return memoryview(array.view(np.uint8).data)
