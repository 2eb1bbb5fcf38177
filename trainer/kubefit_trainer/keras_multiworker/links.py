"""Connections between the workers' processes: where the ring of `ring` comes from.

Made once, right after the workers have met. Each worker listens on a port of its own, tells the
address over the key-value store and connects to the next rank. A word that only the workers know
keeps strangers out.
"""

import contextlib
import json
import os
import secrets
import socket
import time

from kubefit_trainer.keras_multiworker import cluster, coordination, watchdog
from kubefit_trainer.keras_multiworker.errors import DifferentProgramError, MultiWorkerError
from kubefit_trainer.keras_multiworker.gradient_sums import GradientSums
from kubefit_trainer.keras_multiworker.ring import Ring

TRANSPORT = "KERAS_MULTIWORKER_TRANSPORT"
"""Environment variable: `auto` (default), or `collectives` to use those of TensorFlow always."""
TIMEOUT_SECONDS = 120.0
"""How long a worker that has met the others waits for the connections of its neighbours."""
_HELLO_SECONDS = 10.0
_WORD_BYTES = 16

_sums: GradientSums | None = None


def sums() -> GradientSums | None:
    """Sums over the ring of this process, None where TensorFlow's own collectives are used."""
    return _sums


def connect() -> None:
    """Makes the ring if the workers train on CPUs, one replica each; all workers must call it.

    GPUs, and several replicas in a process, have better ways (NCCL) in TensorFlow's collectives.

    Raises:
        MultiWorkerError: a neighbour cannot be reached.

    """
    global _sums
    if coordination.alone() or _sums is not None or not _wanted():
        return
    member = cluster.member()
    after = (member.rank + 1) % member.workers
    if member.chief:
        coordination.publish(coordination.ALIVE, "yes")
    with _listening(cluster.host()) as listener:
        word = secrets.token_hex(_WORD_BYTES)
        mine = {"host": cluster.host(), "port": listener.getsockname()[1], "word": word}
        coordination.publish(f"link/{member.rank}", json.dumps(mine))
        told = coordination.read(f"link/{after}", TIMEOUT_SECONDS)
        if told is None:
            raise MultiWorkerError(
                f"worker {after} has not told worker {member.rank} its address within "
                f"{TIMEOUT_SECONDS:.0f} s"
            )
        outgoing = _call(json.loads(told), rank=after)
        try:
            incoming = _answer(listener, word, rank=(member.rank - 1) % member.workers)
        except BaseException:
            outgoing.close()
            raise
    ring = Ring(
        rank=member.rank,
        workers=member.workers,
        incoming=incoming,
        outgoing=outgoing,
        check=_check,
    )
    _sums = GradientSums(ring)


def _check(numbers_are_missing: bool) -> None:
    """Raises if the numbers that this worker waits for will never come."""
    coordination.check()
    watchdog.check()
    member = cluster.member()
    before = (member.rank - 1) % member.workers
    if numbers_are_missing and watchdog.has_ended(before):
        raise DifferentProgramError(
            f"worker {before} has ended while worker {member.rank} waits for its gradients; all "
            "workers must take the same steps"
        )


def _wanted() -> bool:
    devices = cluster.strategy().extended.worker_devices
    one_cpu = len(devices) == 1 and "cpu" in devices[0].lower()
    return one_cpu and os.environ.get(TRANSPORT, "auto") != "collectives"


def _listening(host: str) -> socket.socket:
    """A listening socket on the worker's own address, on all where the name is not local."""
    family, _, _, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
    with contextlib.suppress(OSError):
        return socket.create_server(address[:2], family=family)
    return socket.create_server(("", 0), family=family)


def _call(peer: dict[str, str | int], *, rank: int) -> socket.socket:
    where = (str(peer["host"]), int(peer["port"]))
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            connection = socket.create_connection(where, timeout=_HELLO_SECONDS)
            break
        except OSError as error:
            coordination.check()
            if time.monotonic() > deadline:
                raise MultiWorkerError(
                    f"worker {rank} cannot be reached at {where[0]}:{where[1]} ({error}); let the "
                    f"workers talk to each other on all TCP ports, or set {TRANSPORT}=collectives"
                ) from error
            time.sleep(0.2)
    connection.sendall(bytes.fromhex(str(peer["word"])))
    return _tuned(connection)


def _answer(listener: socket.socket, word: str, *, rank: int) -> socket.socket:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    listener.settimeout(1.0)
    while time.monotonic() < deadline:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            coordination.check()
            continue
        connection.settimeout(_HELLO_SECONDS)
        with contextlib.suppress(OSError):
            if connection.recv(_WORD_BYTES, socket.MSG_WAITALL) == bytes.fromhex(word):
                return _tuned(connection)
        connection.close()
    raise MultiWorkerError(
        f"worker {rank} has not connected within {TIMEOUT_SECONDS:.0f} s; let the workers talk to "
        f"each other on all TCP ports, or set {TRANSPORT}=collectives"
    )


def _tuned(connection: socket.socket) -> socket.socket:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection
