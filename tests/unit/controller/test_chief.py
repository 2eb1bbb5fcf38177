"""What answers in place of a chief cannot make the operator read for ever, or ask elsewhere."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from kubefit.api.contract import AgentPhase, WorkerStatus
from kubefit.controller import chief
from kubefit.controller.chief import Chiefs

STATUS = WorkerStatus(rank=0, workers=1, attempt=1, phase=AgentPhase.RUNNING)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def _good(request: web.Request) -> web.StreamResponse:
    return web.Response(body=STATUS.model_dump_json(by_alias=True).encode())


async def _endless(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    while True:
        await answer.write(b" " * (1 << 16))


async def _packed(request: web.Request) -> web.StreamResponse:
    body = zlib.compress(b" " * (64 << 20) + STATUS.model_dump_json(by_alias=True).encode())
    return web.Response(body=body, headers={"Content-Encoding": "deflate"})


async def _leading_on(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/elsewhere")


async def _other(request: web.Request) -> web.StreamResponse:
    return web.Response(body=b'{"rank": "0; rm -rf /"}')


def answered(monkeypatch: pytest.MonkeyPatch, handler: Handler) -> WorkerStatus | None:
    """What the operator makes of that handler's answer."""

    async def run() -> WorkerStatus | None:
        app = web.Application()
        app.router.add_get("/status", handler)
        app.router.add_get("/elsewhere", _good)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        monkeypatch.setattr(chief, "AGENT_PORT", runner.addresses[0][1])
        chiefs = Chiefs()
        try:
            return await chiefs.ask((POD,))
        finally:
            await chiefs.close()
            await runner.cleanup()

    return asyncio.run(run())


POD = {
    "metadata": {
        "name": "digits-0-abcde",
        "uid": "pod",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "annotations": {"batch.kubernetes.io/job-completion-index": "0"},
    },
    "status": {"phase": "Running", "podIP": "127.0.0.1"},
}


def test_a_good_answer_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert answered(monkeypatch, _good) == STATUS


@pytest.mark.parametrize("handler", [_endless, _packed, _leading_on, _other])
def test_an_answer_of_another_kind_is_none(
    monkeypatch: pytest.MonkeyPatch, handler: Handler
) -> None:
    assert answered(monkeypatch, handler) is None
