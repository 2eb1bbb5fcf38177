"""Asks why a pod is not created, or not started on its node, where that has lasted for a while."""

import asyncio
import datetime
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from kubefit.controller.api import Api
from kubefit.core import uncreated, unstarted
from kubefit.core.observed import Object

_LOG = logging.getLogger("kubefit")
_FRESH = datetime.timedelta(seconds=15)
"""An answer serves for so long: Events are many, and are read from the disk of the API server."""
_KEPT = datetime.timedelta(minutes=10)
"""So long an answer is kept that nobody asks for; until then it serves where there is no time."""
_SHARE = 0.05
"""Of the time Events are read, at most: the API server goes through all that there are."""
_AHEAD_SECONDS = 5.0
"""So far reading may be ahead of its share, as when a few jobs ask at the same time."""
_AT_LATEST_SECONDS = 60.0
"""After so long something is read again, however long the last answers took."""
_AT_A_TIME = 4
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

    @property
    def is_awaited(self) -> bool:
        """Whether it is read and not there yet."""
        return self.reading is not None and not self.reading.done()


@dataclass(slots=True)
class ClusterEvents:
    """The Events about Jobs and pods, read at most every so often for each."""

    api: Api
    clock: Callable[[], float] = time.monotonic
    _paid_at: float = 0.0
    """When what was read will have been no more than its share of the time."""
    _answers: dict[str, _Answer] = field(default_factory=dict)
    _readings: set[asyncio.Task[None]] = field(default_factory=set)

    async def close(self) -> None:
        """Reads no more."""
        for reading in self._readings:
            reading.cancel()
        await asyncio.gather(*self._readings, return_exceptions=True)

    async def refused_pods(
        self, job: Object | None, pods: tuple[Object, ...], now: datetime.datetime
    ) -> Events:
        """What was refused lately; nothing is read while all pods are there, or may still come."""
        if job is None or not uncreated.overdue(job, pods, now):
            return ()
        return (await self._about(job, now, reason="FailedCreate")).events

    async def of_unstarted(self, pods: tuple[Object, ...], now: datetime.datetime) -> Events:
        """What is known of pods that their nodes do not start.

        It is read up to a fault or a missing answer, and of few pods at a time, that which is
        oldest first: all pods of a job may pull a large image for minutes.
        """
        waiting = unstarted.overdue(pods, now)[:_PODS]
        for pod in sorted(waiting, key=self._read_at):
            answer = await self._about(pod, now)
            if answer.is_awaited or unstarted.fault(answer.events):
                break
        known = (self._answers.get(pod["metadata"]["uid"]) for pod in waiting)
        return tuple(event for answer in known if answer for event in answer.events)

    def _read_at(self, one: Object) -> float:
        answer = self._answers.get(one["metadata"]["uid"])
        return -math.inf if answer is None or answer.read is None else answer.read.timestamp()

    async def _about(self, one: Object, now: datetime.datetime, reason: str = "") -> _Answer:
        self._answers = {
            uid: answer for uid, answer in self._answers.items() if now < answer.asked + _KEPT
        }
        answer = self._answers.setdefault(one["metadata"]["uid"], _Answer(asked=now))
        answer.asked = now
        fresh = answer.read is not None and now < answer.read + _FRESH
        if not fresh and not answer.is_awaited and self._is_time():
            reading = asyncio.create_task(self._read(answer, one, now, reason))
            answer.reading = reading
            self._readings.add(reading)
            reading.add_done_callback(self._ended)
            await asyncio.wait({reading}, timeout=_WAIT_SECONDS)
        return answer

    def _is_time(self) -> bool:
        within_share = self._paid_at <= self.clock() + _AHEAD_SECONDS
        return within_share and len(self._readings) < _AT_A_TIME

    async def _read(
        self, answer: _Answer, one: Object, now: datetime.datetime, reason: str
    ) -> None:
        begun = self.clock()
        try:
            answer.events = await self.api.events(one, reason=reason)
        finally:
            now_at = self.clock()
            paid_at = max(self._paid_at, begun) + (now_at - begun) / _SHARE
            self._paid_at = min(paid_at, now_at + _AT_LATEST_SECONDS)
        answer.read = now

    def _ended(self, reading: asyncio.Task[None]) -> None:
        """What cannot be read fails no pass: what is known serves, and deadlines are kept."""
        self._readings.discard(reading)
        if not reading.cancelled() and reading.exception():
            _LOG.warning("Events cannot be read: %s", reading.exception())
