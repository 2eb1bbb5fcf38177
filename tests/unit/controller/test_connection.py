"""How the API server is reached."""

import asyncio

import pytest
from kubernetes.aio import client

from kubefit.controller.connection import Connection, UnreachableError


@pytest.mark.parametrize(("exempt", "proxied"), [("", True), ("api.example", False)])
def test_a_proxy_of_the_environment_is_used_unless_the_server_is_exempt(
    serving, monkeypatch, exempt, proxied
) -> None:
    async def scene() -> list[str]:
        async with serving() as (server, connection):
            address = connection._configuration.host
            monkeypatch.setenv("http_proxy", address)
            monkeypatch.setenv("no_proxy", exempt)
            configuration = client.Configuration(host="http://api.example:1")
            behind = Connection(configuration, lambda *_: None)
            try:
                await behind.request("GET", "pods", "api/v1/pods", timeout=5.0)
            except UnreachableError:
                assert not proxied
            finally:
                await behind.close()
            return [path for _, path, _ in server.requests]

    assert bool(asyncio.run(scene())) == proxied
