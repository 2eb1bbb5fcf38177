"""HTTP to the Kubernetes API server."""

import json
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from kubernetes.aio import client, config

UNACKNOWLEDGED_SECONDS: Final = 3
"""What the network has not taken by then is dropped: no write comes after another one leads."""
_PROBE_SECONDS: Final = 10
"""A connection that was silent for so long is probed: one whose other end is gone ends."""
_OK: Final = range(200, 300)


class ApiError(Exception):
    """The API server's answer was no."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        """HTTP status."""


class UnreachableError(Exception):
    """The API server gave no answer."""


Count = Callable[[str, str, int], None]
"""Told verb, resource and HTTP status of every request."""


class Connection:
    """Requests with the address, the certificates and the token of a configuration.

    The number of connections has no limit: slow answers never keep the Lease, a watch or another
    job waiting. How many passes ask at a time is up to their turns.
    """

    def __init__(self, configuration: client.Configuration, count: Count) -> None:
        self._configuration = configuration
        self._count = count
        ssl = client.ApiClient(configuration).rest_client.ssl_context
        self.connector = aiohttp.TCPConnector(
            ssl=ssl, socket_factory=_socket, limit=0, keepalive_timeout=60
        )
        self._session = aiohttp.ClientSession(connector=self.connector)
        self._options: dict[str, Any] = {
            name: value
            for name, value in (
                ("proxy", configuration.proxy or _proxy_of_environment(configuration.host)),
                ("proxy_headers", configuration.proxy_headers),
                ("server_hostname", configuration.tls_server_name),
            )
            if value
        }

    @classmethod
    async def open(cls, count: Count) -> "Connection":
        """Connects as the pod's service account, or else as the kubeconfig says."""
        configuration = client.Configuration()
        try:
            config.load_incluster_config(client_configuration=configuration)
        except config.ConfigException:
            await config.load_kube_config(client_configuration=configuration)
        return cls(configuration, count)

    async def close(self) -> None:
        """Closes all connections."""
        await self._session.close()

    async def request(
        self,
        verb: str,
        resource: str,
        path: str,
        *,
        timeout: float,
        body: Mapping[str, Any] | None = None,
        content: str = "application/json",
    ) -> Any:
        """The answer to one request, read from JSON."""
        sent = self.send(verb, resource, path, timeout=timeout, body=body, content=content)
        async with sent as response:
            text = await response.read()
        return json.loads(text)

    @asynccontextmanager
    async def send(
        self,
        verb: str,
        resource: str,
        path: str,
        *,
        timeout: float,
        body: Mapping[str, Any] | None = None,
        content: str = "application/json",
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to one request, while it comes."""
        headers = {"Accept": "application/json", "Content-Type": content}
        for found in (await self._configuration.auth_settings()).values():
            headers[found["key"]] = found["value"]
        try:
            async with self._session.request(
                verb,
                f"{self._configuration.host}/{path}",
                data=None if body is None else json.dumps(body),
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=timeout),
                **self._options,
            ) as response:
                self._count(verb.lower(), resource, response.status)
                if response.status not in _OK:
                    raise ApiError(response.status, _message(await response.text()))
                yield response
        except (aiohttp.ClientError, OSError) as error:
            raise UnreachableError(str(error) or type(error).__name__) from error


def _proxy_of_environment(host: str) -> str | None:
    """What HTTPS_PROXY and NO_PROXY say; aiohttp would read them, and files, at every request."""
    parts = urlsplit(host)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)


def _socket(address: Any) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        milliseconds = UNACKNOWLEDGED_SECONDS * 1000
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _PROBE_SECONDS)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    return made


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text
