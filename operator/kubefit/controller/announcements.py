"""Publishes Events about TrainingJobs, beside the passes: nobody waits for them."""

import asyncio
import datetime
import logging

from kubefit.controller.api import Api
from kubefit.controller.logs import of_job
from kubefit.core.observed import Object
from kubefit.core.plan import Event

_LOG = logging.getLogger("kubefit")
_AT_A_TIME = 4
_LAST_SECONDS = 0.5
_MOST = 1000
"""So many wait for the API server at most."""


class Announcements:
    """Events on their way; one that the API server does not take is lost, as its status says it."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._places = asyncio.Semaphore(_AT_A_TIME)
        self._tasks: set[asyncio.Task[None]] = set()

    def publish(self, resource: Object, event: Event) -> None:
        """Publishes an Event about that TrainingJob, whose moment is now."""
        log = of_job(_LOG, (resource["metadata"]["namespace"], resource["metadata"]["name"]))
        if len(self._tasks) >= _MOST:
            log.warning("the Event %s is not published: %d others wait", event.reason, _MOST)
            return
        task = asyncio.create_task(self._create(_body(resource, event), log))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Gives those on their way a moment more."""
        left = set(self._tasks)
        if left:
            _, left = await asyncio.wait(left, timeout=_LAST_SECONDS)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _create(self, body: Object, log: logging.LoggerAdapter[logging.Logger]) -> None:
        async with self._places:
            try:
                await self._api.create(body)
            except Exception as error:  # nobody else would hear of it
                log.warning("the Event %s is not published: %s", body["reason"], error)


def _body(resource: Object, event: Event) -> Object:
    meta = resource["metadata"]
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{meta['name']}.", "namespace": meta["namespace"]},
        "involvedObject": {
            "apiVersion": resource["apiVersion"],
            "kind": resource["kind"],
            **{name: meta[name] for name in ("name", "namespace", "uid", "resourceVersion")},
        },
        "reason": event.reason,
        "message": event.message[:1024],
        "type": "Warning" if event.warning else "Normal",
        "source": {"component": "kubefit"},
        "reportingComponent": "kubefit",
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
