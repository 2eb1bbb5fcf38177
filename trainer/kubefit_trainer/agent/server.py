"""The agent's HTTP server: `/status`, `/metrics`, `/healthz`; reads only."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from kubefit.api.contract import RunConfig
from kubefit_trainer.agent import metrics
from kubefit_trainer.agent.state import State
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


def serve(config: RunConfig, rank: int, state: State) -> None:
    """Answers from a thread until the process ends.

    Raises:
        ConfigurationError: the port is taken.

    """
    port = config.agent_port(rank)
    host = _LOOPBACK if config.host(rank) == _LOOPBACK else ""
    try:
        server = _Server((host, port), _handler(config, state))
    except OSError as error:
        raise ConfigurationError(
            f"the agent of worker {rank} cannot listen on port {port}: {error.strerror}"
        ) from error
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()


def _handler(config: RunConfig, state: State) -> type[BaseHTTPRequestHandler]:
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
            else:
                self._answer(404, b"/status, /metrics and /healthz are here\n", "text/plain")

        def _answer(self, code: int, body: bytes, kind: str) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Requests come every few seconds: they are not worth a line."""

    return Handler


_JSON = "application/json"
