"""One pass at a time for each job; whatever happens meanwhile leads to one more pass."""

import asyncio
import math
from collections.abc import Awaitable, Callable

Key = tuple[str, str]
"""Namespace and name of a TrainingJob."""
_REST_SECONDS = 1.0
"""Between two passes of a job, so that a burst of events costs one pass."""


class Worklist:
    """Keys to work on; `work` returns in how many seconds to look again, or None to forget."""

    def __init__(self, work: Callable[[Key], Awaitable[float | None]]) -> None:
        self._work = work
        self._changed: dict[Key, asyncio.Event] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}

    def look(self, key: Key) -> None:
        """Something may have changed for that job."""
        if key not in self._tasks:
            self._changed[key] = asyncio.Event()
            self._tasks[key] = asyncio.create_task(self._serve(key))
        self._changed[key].set()

    async def close(self) -> None:
        """Ends all work."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, key: Key) -> None:
        changed = self._changed[key]
        while True:
            changed.clear()
            again = await self._work(key)
            if again is None and not changed.is_set():
                del self._tasks[key], self._changed[key]
                return
            await asyncio.sleep(_REST_SECONDS)
            limit = None if again is None or math.isinf(again) else again
            try:
                await asyncio.wait_for(changed.wait(), limit)
            except TimeoutError:
                continue
