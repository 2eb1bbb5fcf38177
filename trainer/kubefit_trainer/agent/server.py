"""The agent's HTTP server: `/status`, `/metrics`, `/healthz` for all, the rest for its peers.

Peers prove that they know the job's token: to report at the rendezvous, and to read snapshots from
memory.
"""

import errno
import hmac
import os
import socket
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pydantic import ValidationError

from kubefit.api.contract import RunConfig
from kubefit_trainer.agent import guest, metrics, proof, snapshots
from kubefit_trainer.agent.host import Host
from kubefit_trainer.agent.messages import Report
from kubefit_trainer.agent.state import State
from kubefit_trainer.checkpoints import store
from kubefit_trainer.failure import ConfigurationError

_LOOPBACK = "127.0.0.1"
_PORT_SECONDS = 10.0
"""The agent before may not be gone entirely."""
_PORT_RETRY_SECONDS = 0.2


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: Any) -> None:
        dual = address[0] == "" and socket.has_dualstack_ipv6()
        self.address_family = socket.AF_INET6 if dual else socket.AF_INET
        super().__init__(address, handler)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Connections that the agent before had here may still be on their way out.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Not HTTPServer's: that one looks up the name of this host, which may take long.
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asks may leave before the answer: that is no fault of this agent."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@dataclass(frozen=True, slots=True)
class ForPeers:
    """What an agent offers the others of its job."""

    token: str
    snapshots: Path
    host: Host | None = None
    """The rendezvous, if it is here."""


def serve(config: RunConfig, rank: int, state: State, peers: ForPeers) -> None:
    """Answers from a thread until the process ends.

    Raises:
        ConfigurationError: the port is taken.

    """
    port = config.agent_port(rank)
    host = _LOOPBACK if config.host(rank) == _LOOPBACK else ""
    deadline = time.monotonic() + _PORT_SECONDS
    server = None
    while server is None:
        try:
            server = _Server((host, port), _handler(config, state, peers))
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise ConfigurationError(
                    f"the agent of worker {rank} cannot listen on port {port}: {error.strerror}"
                ) from error
            time.sleep(_PORT_RETRY_SECONDS)
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()


def _handler(config: RunConfig, state: State, peers: ForPeers) -> type[BaseHTTPRequestHandler]:
    registry = metrics.registry(config, state, peers.host)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/status":
                self._answer(200, state.status().model_dump_json(by_alias=True).encode(), _JSON)
            elif path == "/metrics":
                self._answer(200, metrics.text(registry), metrics.CONTENT_TYPE)
            elif path == "/healthz":
                self._answer(200, b"ok\n", "text/plain")
            elif path.startswith(snapshots.PATH):
                self._give(unquote(path.removeprefix(snapshots.PATH)))
            else:
                self._answer(404, b"/status, /metrics and /healthz are here\n", "text/plain")

        def do_POST(self) -> None:
            if self.path != guest.PATH or peers.host is None:
                self._answer(404, b"there is no rendezvous here\n", "text/plain")
            else:
                length = self.headers.get("Content-Length", "")
                body = self.rfile.read(min(int(length), _LONGEST) if length.isdecimal() else 0)
                if self._is_peer(body):
                    self._meet(peers.host, body)

        def _is_peer(self, body: bytes = b"") -> bool:
            asked = (self._nonce(), self.command, self.path, body)
            known = proof.holds(
                self.headers.get(proof.PROOF, ""), proof.of_request(peers.token, *asked)
            )
            if not known:
                self.close_connection = True
                self._answer(401, b"this is no worker of this job\n", "text/plain")
            return known

        def _nonce(self) -> str:
            return str(self.headers.get(proof.NONCE, ""))

        def _meet(self, host: Host, body: bytes) -> None:
            try:
                report = Report.model_validate_json(body)
            except ValidationError as error:
                self._answer(400, f"{error}\n".encode(), "text/plain")
                return
            host.reached_at(_plain(self.connection.getsockname()[0]))
            directive = host.hear(report)
            said, proven = directive.model_dump_json(by_alias=True).encode(), self._proven()
            proven.update(said)
            self._answer(200, said, _JSON, proven.hexdigest())

        def _proven(self) -> hmac.HMAC:
            return proof.of_answer(peers.token, self._nonce())

        def _give(self, name: str) -> None:
            if not self._is_peer():
                return
            path = peers.snapshots / name
            try:
                # Only the names that snapshots have: nothing else of the folder, or above it.
                if store.parse(path) is None or "/" in name:
                    raise FileNotFoundError(name)
                with path.open("rb") as file:
                    self.send_response(200)
                    self.send_header("Content-Type", "application/octet-stream")
                    size = os.fstat(file.fileno()).st_size
                    self.send_header("Content-Length", str(size + proof.LENGTH))
                    self.end_headers()
                    snapshots.give(file, self.wfile.write, self._proven())
            except FileNotFoundError:
                self._answer(404, b"there is no such snapshot\n", "text/plain")

        def _answer(self, code: int, body: bytes, kind: str, proven: str = "") -> None:
            self.send_response(code)
            if proven:
                self.send_header(proof.PROOF, proven)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Requests come every few seconds: they are not worth a line."""

    return Handler


def _plain(host: str) -> str:
    """An IPv4 address that came over an IPv6 socket, as such."""
    return host.removeprefix("::ffff:")


_JSON = "application/json"
_LONGEST = 1 << 20
