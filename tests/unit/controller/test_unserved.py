"""An API that the cluster does not have is named, not only its absence."""

import asyncio
import json

import pytest
from aiohttp import web
from kubernetes.aio import client

from kubefit.controller.api import Api
from kubefit.controller.connection import ApiError, Connection
from kubefit.controller.reconcile import refusal
from kubefit.core.gangs import API_VERSIONS

UNKNOWN = "404 page not found\n"
SWITCHED_OFF = json.dumps({"message": "the server could not find the requested resource"})


@pytest.mark.parametrize("text", [UNKNOWN, SWITCHED_OFF], ids=["unknown", "switched off"])
@pytest.mark.parametrize("api_version", API_VERSIONS.values())
def test_pod_groups_that_are_not_served_are_a_refusal_that_names_them(api_version, text) -> None:
    paths: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(status=404, text=text)

    async def scene() -> None:
        app = web.Application()
        app.add_routes([web.route("*", "/{path:.*}", answer)])
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host = f"http://127.0.0.1:{runner.addresses[0][1]}"
        connection = Connection(client.Configuration(host=host), lambda *_: None)
        api = Api(connection)
        api.leads = lambda: True
        metadata = {"name": "digits", "namespace": "team"}
        body = {"apiVersion": api_version, "kind": "PodGroup", "metadata": metadata}
        with pytest.raises(ApiError) as caught:
            await api.apply(body)
        assert refusal(caught.value) == f"the cluster has no PodGroup of {api_version}"
        await connection.close()
        await runner.cleanup()

    asyncio.run(scene())
    assert paths == [f"/apis/{api_version}/namespaces/team/podgroups/digits"]
