"""Waits until the other workers can be reached, and says whom it waits for."""

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator

from pydantic import ValidationError

from kubefit.api.contract import AgentPhase, RunConfig, WorkerStatus

_POLL_SECONDS = 0.5
_ENDED = (AgentPhase.SUCCEEDED, AgentPhase.FAILED)


class PeersNotReachableError(Exception):
    """Not all peers came in time; one sentence."""


def wait(
    config: RunConfig, rank: int, *, stop: threading.Event, tell: Callable[[str], None]
) -> None:
    """Returns when all host names resolve and the chief's agent answers, or when `stop` is set.

    Raises:
        PeersNotReachableError: after `config.peer_timeout_seconds`.

    """
    deadline = time.monotonic() + config.peer_timeout_seconds
    for check in (_unresolved(config), _chief(config, rank)):
        for waiting_for in check:
            tell(waiting_for)
            if time.monotonic() > deadline:
                raise PeersNotReachableError(
                    f"worker {rank} waited {config.peer_timeout_seconds:g} s for {waiting_for}"
                )
            if stop.wait(_POLL_SECONDS):
                return
    tell("")


def _unresolved(config: RunConfig) -> Iterator[str]:
    """What keeps the names from being complete, each time it is asked; ends when they are."""
    missing = [r for r in range(config.workers) if not _resolves(config.host(r))]
    while missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        yield f"the address of worker {missing[0]} ({config.host(missing[0])}){others}"
        missing = [r for r in missing if not _resolves(config.host(r))]


def _resolves(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, None))
    except socket.gaierror:
        return False


def _chief(config: RunConfig, rank: int) -> Iterator[str]:
    """The chief's agent may still be the one of an attempt that has failed."""
    while rank != 0:
        status = _status(config.host(0), config.agent_port(0))
        if status is not None and status.phase not in _ENDED:
            return
        yield f"the agent of worker 0 ({config.host(0)}:{config.agent_port(0)})"


def _status(host: str, port: int) -> WorkerStatus | None:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/status")
        return WorkerStatus.model_validate_json(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValidationError):
        return None
    finally:
        connection.close()
