"""Asks the agent of rank 0 how far training is."""

import aiohttp
from pydantic import ValidationError

from kubefit.api.contract import AGENT_PORT, WorkerStatus
from kubefit.core import workers
from kubefit.core.observed import Object

_TIMEOUT = aiohttp.ClientTimeout(total=2.0)


class Chiefs:
    """Reads `/status` of chiefs over HTTP."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)

    async def close(self) -> None:
        """Closes the connections."""
        await self._session.close()

    async def ask(self, pods: tuple[Object, ...]) -> WorkerStatus | None:
        """The chief's answer; None while it has no running pod or does not answer."""
        pod = workers.latest(pods).get(0)
        if pod is None or workers.phase(pod) != "Running" or not pod["status"].get("podIP"):
            return None
        url = f"http://{pod['status']['podIP']}:{AGENT_PORT}/status"
        try:
            async with self._session.get(url) as response:
                return WorkerStatus.model_validate_json(await response.read())
        except (TimeoutError, aiohttp.ClientError, ValidationError):
            return None
