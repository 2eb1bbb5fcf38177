"""How many passes ask the API server at a time."""

import asyncio
import enum
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_SLOW_SECONDS = 1.0
"""A pass that lasts longer gives its place to another one, and goes on beside it."""
_SLOW = 100
"""So many do at most, so that an API server in trouble is not asked ever more at a time."""


class Sort(enum.Enum):
    """Sorts of passes, none of which keeps another waiting; how many of each have a place."""

    FIRST = "first", 4
    """Over jobs that have no children yet: a crowd of new ones takes its time."""
    NEWS = "news", 10
    """Over jobs of which something is new, or that do not train yet."""
    ROUND = "round", 4
    """Over jobs that train, for how far they are; where all is slow, that is told less often."""

    @property
    def places(self) -> int:
        """Passes of this sort at a time."""
        return self.value[1]


class Turns:
    """Places for passes."""

    def __init__(self) -> None:
        self._places = {sort: asyncio.Semaphore(sort.places) for sort in Sort}
        self._slow = 0

    @asynccontextmanager
    async def take(self, sort: Sort, news: asyncio.Event) -> AsyncIterator[None]:
        """Waits for a place and has it meanwhile; a round becomes news as soon as there are any."""
        places = self._places[sort]
        if sort is not Sort.ROUND:
            await places.acquire()
        elif not await _acquired(places, unless=news):
            places = self._places[Sort.NEWS]
            await places.acquire()
        aside = False

        def step_aside() -> None:
            nonlocal aside
            if self._slow < _SLOW:
                aside = True
                self._slow += 1
                places.release()

        timer = asyncio.get_running_loop().call_later(_SLOW_SECONDS, step_aside)
        try:
            yield
        finally:
            timer.cancel()
            if aside:
                self._slow -= 1
            else:
                places.release()


async def _acquired(places: asyncio.Semaphore, *, unless: asyncio.Event) -> bool:
    """Whether there was a place before that happened."""
    if unless.is_set():
        return False
    if not places.locked():
        return await places.acquire()
    place = asyncio.ensure_future(places.acquire())
    other = asyncio.ensure_future(unless.wait())
    try:
        await asyncio.wait((place, other), return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        if place.done():
            places.release()
        raise
    finally:
        place.cancel()
        other.cancel()
    return place.done() and not place.cancelled()
