"""One pass at a time for each job; whatever happens meanwhile leads to one more pass."""

import asyncio
import random
from collections.abc import Awaitable, Callable

Key = tuple[str, str]
"""Namespace and name of a TrainingJob."""
_REST_SECONDS = 0.5
"""From the beginning of a pass to that of the job's next, so that a burst of events costs one."""
_PAUSE_SECONDS = 0.1
"""From the end of a pass, where it took longer than that."""
_AT_LATEST_SECONDS = 600.0
"""Every job is looked at so often, even when nothing is heard of it."""


class _Entry:
    """What is planned for a job; idle ones, of which there are many, cost a timer."""

    __slots__ = ("at", "changed", "news", "rests_until", "task", "timer")

    def __init__(self) -> None:
        self.changed = False
        self.news = asyncio.Event()
        self.at = 0.0
        self.rests_until = 0.0
        self.timer: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None


class Worklist:
    """Keys to work on.

    `work` takes the key, and an event that is set when something may have changed, before the pass
    or while it lasts; it returns in how many seconds to look again, or None to forget.
    """

    def __init__(self, work: Callable[[Key, asyncio.Event], Awaitable[float | None]]) -> None:
        self._work = work
        self._entries: dict[Key, _Entry] = {}
        self._loop = asyncio.get_running_loop()

    def look(self, key: Key) -> None:
        """Something may have changed for that job."""
        entry = self._entries.setdefault(key, _Entry())
        entry.changed = True
        entry.news.set()
        if entry.task is None:
            self._plan(key, entry, max(self._loop.time(), entry.rests_until))

    async def close(self) -> None:
        """Ends all work."""
        entries = list(self._entries.values())
        self._entries.clear()
        tasks = [entry.task for entry in entries if entry.task]
        for entry in entries:
            if entry.timer:
                entry.timer.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _plan(self, key: Key, entry: _Entry, at: float) -> None:
        if entry.timer:
            if entry.at <= at:
                return
            entry.timer.cancel()
        entry.at = at
        entry.timer = self._loop.call_at(at, self._begin, key, entry)

    def _begin(self, key: Key, entry: _Entry) -> None:
        entry.timer = None
        entry.task = self._loop.create_task(self._serve(key, entry))

    async def _serve(self, key: Key, entry: _Entry) -> None:
        entry.changed = False
        rested = self._loop.time() + _REST_SECONDS
        again = await self._work(key, entry.news)
        if not entry.changed:
            entry.news.clear()
        entry.task = None
        if again is None and not entry.changed:
            self._entries.pop(key, None)
            return
        now = self._loop.time()
        entry.rests_until = max(rested, now + _PAUSE_SECONDS)
        if entry.changed:
            self._plan(key, entry, entry.rests_until)
            return
        latest = _AT_LATEST_SECONDS * random.uniform(0.8, 1.0)
        seconds = latest if again is None else min(again, latest)
        self._plan(key, entry, max(entry.rests_until, now + seconds))
