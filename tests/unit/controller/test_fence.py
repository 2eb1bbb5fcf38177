"""What an operator may write: the Lease always, anything else only while it leads."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from kubernetes.aio import client

from kubefit.controller.api import Api, NotLeadingError
from kubefit.controller.connection import UNACKNOWLEDGED_SECONDS, Connection
from kubefit.core.election import LEASE_SECONDS, RENEW_SECONDS

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "b"}}
LEASE = {**POD, "apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
TRAINING = {
    "apiVersion": "kubefit.dev/v1alpha1",
    "kind": "TrainingJob",
    "metadata": {**POD["metadata"], "uid": "1"},
}


@asynccontextmanager
async def _served() -> AsyncIterator[tuple[Api, list[str]]]:
    """The operator's side, and the verbs that arrive at the server."""
    verbs: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        verbs.append(request.method)
        return web.json_response({})

    app = web.Application()
    app.add_routes([web.route("*", "/{path:.*}", answer)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    configuration = client.Configuration(host=f"http://127.0.0.1:{port}")
    api = Api(connection := Connection(configuration, lambda *_: None))
    try:
        yield api, verbs
    finally:
        await connection.close()
        await runner.cleanup()


def test_without_the_lease_nothing_else_is_written() -> None:
    async def scene() -> None:
        async with _served() as (api, verbs):
            for write in (
                api.apply(POD),
                api.change(POD),
                api.create(POD),
                api.remove(POD),
                api.delete(TRAINING),
                api.write_status(TRAINING, {}),
            ):
                with pytest.raises(NotLeadingError):
                    await write
            assert verbs == []
            await api.get(POD)
            await api.write_lease(LEASE, 3.0)
            assert verbs == ["GET", "POST"]
            api.leads = lambda: True
            await api.apply(POD)
            assert verbs[2:] == ["PATCH"]

    asyncio.run(scene())


def test_what_the_network_holds_back_is_dropped_before_another_operator_leads() -> None:
    async def scene() -> int:
        async with _served() as (api, _):
            await api.get(POD)
            connector = api._connection.connector
            ((held,),) = connector._conns.values()
            made = held[0].transport.get_extra_info("socket")
            return made.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)

    assert asyncio.run(scene()) == UNACKNOWLEDGED_SECONDS * 1000
    assert RENEW_SECONDS + UNACKNOWLEDGED_SECONDS < LEASE_SECONDS
