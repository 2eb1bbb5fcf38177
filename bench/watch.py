"""Follows the objects of one kind on an API server that is in good health."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from urllib.parse import urlencode

from kubefit.controller.connection import ApiError, Connection, UnreachableError
from kubefit.core.observed import Object

_SECONDS = 600


class Watch:
    """One kind; `put` is called with what there is and what changes, `drop` with what is gone."""

    def __init__(
        self,
        connection: Connection,
        *,
        path: str,
        selector: str = "",
        put: Callable[[Object], object],
        drop: Callable[[Object], object],
    ) -> None:
        self._connection = connection
        self._path = path
        self._selector = {"labelSelector": selector} if selector else {}
        self._put, self._drop = put, drop
        self.listed = asyncio.Event()
        """Set once all was listed for the first time."""

    async def run(self) -> None:
        """Follows until cancelled; lists anew whenever a watch ends."""
        while True:
            with contextlib.suppress(ApiError, UnreachableError, TimeoutError):
                await self._once()

    async def _once(self) -> None:
        resource = self._path.rpartition("/")[2]
        path = f"{self._path}?{urlencode(self._selector)}"
        found = await self._connection.request("GET", resource, path, timeout=_SECONDS)
        for one in found["items"]:
            self._put(one)
        self.listed.set()
        version = found["metadata"]["resourceVersion"]
        query = {**self._selector, "watch": "true", "resourceVersion": version}
        path = f"{self._path}?{urlencode(query)}"
        async with self._connection.send("GET", resource, path, timeout=_SECONDS) as response:
            rest = b""
            async for part in response.content.iter_any():
                *lines, rest = (rest + part).split(b"\n")
                for event in map(json.loads, lines):
                    change = self._drop if event["type"] == "DELETED" else self._put
                    change(event["object"])
