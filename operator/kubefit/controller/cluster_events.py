"""Asks why a pod is not created, or not started on its node, where that has lasted for a while."""

import asyncio
import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from kubefit.controller.api import Api
from kubefit.core import uncreated, unstarted
from kubefit.core.observed import Object

_FRESH = datetime.timedelta(seconds=15)
"""An answer serves for so long: Events are many, and are read from the disk of the API server."""
_KEPT = datetime.timedelta(minutes=10)
"""So long an answer is kept that nobody asks for; until then it serves where there is no time."""
_SHARE = 0.05
"""Of the time Events are read, at most: the API server goes through all that there are."""
_AHEAD_SECONDS = 5.0
"""So far reading may be ahead of its share, as when a few jobs ask at the same time."""
_WAIT_SECONDS = 0.5
"""So long a pass waits for an answer; the job's next one has it otherwise."""
_PODS = 8
"""Those of higher ranks are asked for once lower ones have started."""
Events = tuple[Object, ...]


@dataclass(slots=True)
class _Answer:
    """What was said of one object."""

    asked: datetime.datetime
    read: datetime.datetime | None = None
    events: Events = ()
    reading: asyncio.Task[None] | None = None


@dataclass(slots=True)
class ClusterEvents:
    """The Events about Jobs and pods, read at most every so often for each."""

    api: Api
    clock: Callable[[], float] = time.monotonic
    _paid_at: float = 0.0
    """When what was read will have been no more than its share of the time."""
    _answers: dict[str, _Answer] = field(default_factory=dict)

    async def refused_pods(
        self, job: Object | None, pods: tuple[Object, ...], now: datetime.datetime
    ) -> Events:
        """What was refused lately; nothing is read while all pods are there, or may still come."""
        if job is None or not uncreated.overdue(job, pods, now):
            return ()
        return await self._about(job, now, reason="FailedCreate")

    async def of_unstarted(self, pods: tuple[Object, ...], now: datetime.datetime) -> Events:
        """What is said of pods that their nodes do not start, up to the first one with a fault.

        Of few at a time: all pods of a job may pull a large image for minutes.
        """
        found: list[Object] = []
        for pod in unstarted.overdue(pods, now)[:_PODS]:
            said = await self._about(pod, now)
            found.extend(said)
            if unstarted.fault(said):
                break
        return tuple(found)

    async def _about(self, one: Object, now: datetime.datetime, reason: str = "") -> Events:
        self._answers = {
            uid: answer for uid, answer in self._answers.items() if now < answer.asked + _KEPT
        }
        answer = self._answers.setdefault(one["metadata"]["uid"], _Answer(asked=now))
        answer.asked = now
        fresh = answer.read is not None and now < answer.read + _FRESH
        if answer.reading is None and not fresh and self._is_time():
            answer.reading = asyncio.ensure_future(self._read(answer, one, now, reason))
        if answer.reading is not None:
            done, _ = await asyncio.wait({answer.reading}, timeout=_WAIT_SECONDS)
            if done:
                reading, answer.reading = answer.reading, None
                reading.result()
        return answer.events

    def _is_time(self) -> bool:
        return self._paid_at <= self.clock() + _AHEAD_SECONDS

    async def _read(
        self, answer: _Answer, one: Object, now: datetime.datetime, reason: str
    ) -> None:
        begun = self.clock()
        try:
            answer.events = await self.api.events(one, reason=reason)
        finally:
            self._paid_at = max(self._paid_at, begun) + (self.clock() - begun) / _SHARE
        answer.read = now
