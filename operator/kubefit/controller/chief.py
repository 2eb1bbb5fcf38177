"""Asks the agent of rank 0 how far training is.

Whoever writes a program can answer in its place: the answer is short, of one kind, and leads on
to nowhere.
"""

import asyncio
import time
from collections.abc import Callable

import aiohttp
import yarl
from pydantic import ValidationError

from kubefit.api.contract import AGENT_PORT, WorkerStatus
from kubefit.core import workers
from kubefit.core.observed import Object

_TIMEOUT = aiohttp.ClientTimeout(total=2.0)
_LONGEST = 1 << 18
"""Bytes of an answer."""
_FRESH_SECONDS = 1.9
"""An answer serves for so long: a status written brings a pass, which must not write the next."""


class Chiefs:
    """Reads `/status` of chiefs over HTTP."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        no_limit = aiohttp.TCPConnector(limit=0)  # slow chiefs do not keep others waiting
        # What is packed may be any size once it is unpacked.
        self._session = aiohttp.ClientSession(
            timeout=_TIMEOUT, connector=no_limit, auto_decompress=False
        )
        self._clock = clock
        self._answers: dict[str, tuple[float, WorkerStatus]] = {}

    async def close(self) -> None:
        """Closes the connections."""
        await self._session.close()

    async def ask(self, pods: tuple[Object, ...]) -> WorkerStatus | None:
        """The chief's answer; None while it has no running pod or does not answer."""
        address = workers.chief_address(pods)
        if address is None:
            return None
        now = self._clock()
        self._answers = {
            uid: (at, answer)
            for uid, (at, answer) in self._answers.items()
            if now < at + _FRESH_SECONDS
        }
        uid = str(workers.latest(pods)[0]["metadata"]["uid"])
        if uid in self._answers:
            return self._answers[uid][1]
        answer = await self._fetch(address)
        if answer is not None:
            self._answers[uid] = (now, answer)
        return answer

    async def _fetch(self, host: str) -> WorkerStatus | None:
        url = yarl.URL.build(scheme="http", host=host, port=AGENT_PORT, path="/status")
        try:
            async with self._session.get(url, allow_redirects=False) as response:
                return WorkerStatus.model_validate_json(await _read(response.content))
        except (TimeoutError, aiohttp.ClientError, ValidationError):
            return None


async def _read(answer: aiohttp.StreamReader) -> bytes:
    """All of an answer that is not too long; nothing of another."""
    try:
        await answer.readexactly(_LONGEST)
    except asyncio.IncompleteReadError as whole:
        return whole.partial
    return b""
