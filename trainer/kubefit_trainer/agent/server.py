"""The agent's HTTP server: `/status`, `/metrics`, `/healthz` for all, the rest for its peers.

Peers show the job's token: to report at the rendezvous, and to read snapshots from memory.
"""

import hmac
import os
import shutil
import socket
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pydantic import ValidationError

from kubefit.api.contract import RunConfig
from kubefit_trainer.agent import guest, metrics, snapshots
from kubefit_trainer.agent.host import Host
from kubefit_trainer.agent.messages import Report
from kubefit_trainer.agent.state import State
from kubefit_trainer.checkpoints import store
from kubefit_trainer.failure import ConfigurationError

_LOOPBACK = "127.0.0.1"


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
        # Not HTTPServer's: that one looks up the name of this host, which may take long.
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "", self.server_address[1]


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
    try:
        server = _Server((host, port), _handler(config, state, peers))
    except OSError as error:
        raise ConfigurationError(
            f"the agent of worker {rank} cannot listen on port {port}: {error.strerror}"
        ) from error
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()


def _handler(config: RunConfig, state: State, peers: ForPeers) -> type[BaseHTTPRequestHandler]:
    registry = metrics.registry(config, state)

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
            elif self._is_peer():
                self._meet(peers.host)

        def _is_peer(self) -> bool:
            shown = self.headers.get("Authorization", "")
            known = hmac.compare_digest(shown.encode(), f"Bearer {peers.token}".encode())
            if not known:
                self.close_connection = True
                self._answer(401, b"the token is not that of this job\n", "text/plain")
            return known

        def _meet(self, host: Host) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            try:
                report = Report.model_validate_json(self.rfile.read(min(length, _LONGEST)))
            except ValidationError as error:
                self._answer(400, f"{error}\n".encode(), "text/plain")
                return
            host.reached_at(_plain(self.connection.getsockname()[0]))
            directive = host.hear(report, _plain(self.client_address[0]))
            self._answer(200, directive.model_dump_json(by_alias=True).encode(), _JSON)

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
                    self.send_header("Content-Length", str(os.fstat(file.fileno()).st_size))
                    self.end_headers()
                    shutil.copyfileobj(file, self.wfile, 1 << 20)
            except FileNotFoundError:
                self._answer(404, b"there is no such snapshot\n", "text/plain")

        def _answer(self, code: int, body: bytes, kind: str) -> None:
            self.send_response(code)
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
