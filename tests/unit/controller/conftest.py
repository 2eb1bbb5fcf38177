"""A small API server over HTTP: lists, watches and writes, and all that can go wrong with them."""

import asyncio
import itertools
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio import client

from kubefit.controller import following
from kubefit.controller.connection import Connection

Document = dict[str, Any]
_KINDS = {
    "trainingjobs": ("kubefit.dev/v1alpha1", "TrainingJob"),
    "jobs": ("batch/v1", "Job"),
    "pods": ("v1", "Pod"),
    "persistentvolumeclaims": ("v1", "PersistentVolumeClaim"),
}


def _discovery() -> dict[str, Document]:
    """What an API server says of the kinds that it has."""
    groups = [
        {"name": name, "preferredVersion": {"version": version}, "versions": [{"version": version}]}
        for name, version in (("kubefit.dev", "v1alpha1"), ("batch", "v1"))
    ]
    told: dict[str, Document] = {"api": {"versions": ["v1"]}, "apis": {"groups": groups}}
    for plural, (version, kind) in {**_KINDS, "namespaces": ("v1", "Namespace")}.items():
        path = f"apis/{version}" if "/" in version else f"api/{version}"
        verbs = ["get", "list", "watch", "patch"]
        one = {"name": plural, "singularName": "", "kind": kind, "namespaced": True, "verbs": verbs}
        told.setdefault(path, {"resources": []})["resources"].append(one)
    return told


_DISCOVERY = _discovery()


class Server:
    """Stores objects by path; `faults` are what the next lists and watches get instead."""

    def __init__(self) -> None:
        self.objects: dict[str, Document] = {}
        self.faults: deque[int | str] = deque()
        """HTTP statuses, or `drop` for a connection that is closed at once."""
        self.refused: Callable[[str, str], int] = lambda verb, path: 0
        """Status of the answer to that request, where it is not carried out."""
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.host = ""
        self.asked = asyncio.Event()
        self._versions = itertools.count(1)
        self._streams: dict[str, asyncio.Queue[bytes | None]] = {}
        self._events: dict[str, list[tuple[int, bytes]]] = {}

    def put(self, path: str, body: Document) -> Document:
        """Stores the object and tells the watch of its kind."""
        change = "MODIFIED" if path in self.objects else "ADDED"
        collection, _, name = path.rpartition("/")
        namespace = collection.split("/namespaces/")[1].split("/")[0]
        made = self.objects.get(path, {"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"}})[
            "metadata"
        ]
        metadata = {"uid": path, **body.get("metadata", {}), "name": name, "namespace": namespace}
        metadata.setdefault("creationTimestamp", made["creationTimestamp"])
        metadata["resourceVersion"] = str(next(self._versions))
        self.objects[path] = {**self.objects.get(path, {}), **body, "metadata": metadata}
        self._say(collection.rpartition("/")[2], {"type": change, "object": self.objects[path]})
        return self.objects[path]

    def tell(self, plural: str, change: str, body: Document) -> None:
        """Sends an event of an object that is not stored."""
        metadata = {**body["metadata"], "resourceVersion": str(next(self._versions))}
        self._say(plural, {"type": change, "object": {**body, "metadata": metadata}})

    def _say(self, plural: str, event: Document) -> None:
        """Sends that in the open watch, if there is one; a later one begins with what it missed."""
        line = json.dumps(event).encode() + b"\n"
        version = int(event["object"]["metadata"]["resourceVersion"])
        self._events.setdefault(plural, []).append((version, line))
        if plural in self._streams:
            self._streams[plural].put_nowait(line)

    def end(self, plural: str) -> None:
        """Ends the open watch."""
        self._streams[plural].put_nowait(None)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Returns once the condition holds, which is looked at with every request."""
        while not condition():
            self.asked.clear()
            await self.asked.wait()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path, query = request.path.strip("/"), dict(request.query)
        self.requests.append((request.method, path, query))
        self.asked.set()
        if path in _DISCOVERY:
            return web.json_response(_DISCOVERY[path])
        code = self.refused(request.method, path)
        if code:
            return _refusal(code)
        if request.method == "GET" and path in self.objects:
            return web.json_response(self.objects[path])
        if request.method == "GET" and "/namespaces/" in path:
            return _refusal(404)
        if request.method != "GET":
            return await self._write(request, path)
        if self.faults:
            fault = self.faults.popleft()
            if isinstance(fault, int):
                return _refusal(fault)
            request.transport.abort()
            return web.Response()
        if "watch" in query:
            return await self._stream(request, path.rpartition("/")[2])
        return self._list(path)

    async def _write(self, request: web.Request, path: str) -> web.Response:
        body = await request.json()
        if request.method == "POST":
            path = f"{path}/{body['metadata'].get('name') or next(self._versions)}"
            if path in self.objects:
                return _refusal(409)
        return web.json_response(self.put(path.removesuffix("/status"), body))

    def _list(self, path: str) -> web.Response:
        plural = path.rpartition("/")[2]
        found = [one for at, one in self.objects.items() if f"/{plural}/" in at]
        items = [{k: v for k, v in one.items() if k not in ("kind", "apiVersion")} for one in found]
        version, kind = _KINDS[plural]
        metadata = {"resourceVersion": str(next(self._versions))}
        body = {"apiVersion": version, "kind": f"{kind}List", "metadata": metadata, "items": items}
        return web.json_response(body)

    async def _stream(self, request: web.Request, plural: str) -> web.StreamResponse:
        lines = self._streams[plural] = asyncio.Queue()
        for version, line in self._events.get(plural, ()):
            if version > int(request.query["resourceVersion"]):
                lines.put_nowait(line)
        response = web.StreamResponse()
        await response.prepare(request)
        self.asked.set()
        while (line := await lines.get()) is not None:
            await response.write(line)
        return response


def _refusal(code: int) -> web.Response:
    return web.json_response({"code": code, "message": f"refused with {code}"}, status=code)


@asynccontextmanager
async def _serving() -> AsyncIterator[tuple[Server, Connection]]:
    server = Server()
    app = web.Application()
    app.add_routes([web.route("*", "/{path:.*}", server.answer)])
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    connection = Connection(client.Configuration(host=server.host), lambda *_: None)
    try:
        yield server, connection
    finally:
        await connection.close()
        await runner.cleanup()


@pytest.fixture
def serving(monkeypatch) -> Callable[[], AbstractAsyncContextManager[tuple[Server, Connection]]]:
    """`serving()`: such a server, and the operator's connection to it; nobody waits long."""
    monkeypatch.setattr(following, "delay", lambda failures, at_most: 0.0)
    return _serving
