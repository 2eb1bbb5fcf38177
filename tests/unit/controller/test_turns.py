"""Few passes at a time, of which no sort keeps another waiting for long."""

import asyncio
from collections.abc import Callable

import pytest

from kubefit.controller import turns
from kubefit.controller.turns import Sort, Turns


@pytest.fixture(autouse=True)
def _no_pass_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is."""
    monkeypatch.setattr(turns, "_SLOW_SECONDS", 3600.0)


async def _settled() -> None:
    """All that can go on without waiting for a time has."""
    for _ in range(20):
        await asyncio.sleep(0)


def _crowd(taken: Turns, number: int, sort: Sort, end: asyncio.Event) -> Callable[[], int]:
    """So many passes that last until the end; how many have a place."""
    inside: list[int] = []

    async def one(index: int) -> None:
        async with taken.take(sort, asyncio.Event()):
            inside.append(index)
            await end.wait()

    tasks = [asyncio.create_task(one(index)) for index in range(number)]
    return lambda: len(inside) * bool(tasks)


@pytest.mark.parametrize("crowded", Sort)
def test_a_crowd_of_one_sort_leaves_places_for_the_others(crowded) -> None:
    async def scene() -> None:
        taken, end = Turns(), asyncio.Event()
        crowd = _crowd(taken, 500, crowded, end)
        await _settled()
        assert crowd() == crowded.places
        for other in set(Sort) - {crowded}:
            others = _crowd(taken, 500, other, end)
            await _settled()
            assert others() == other.places
        assert crowd() == crowded.places
        end.set()
        await _settled()
        assert crowd() > crowded.places

    asyncio.run(scene())


@pytest.mark.parametrize("sort", Sort)
def test_slow_passes_make_way_but_never_all_at_a_time(monkeypatch, sort) -> None:
    monkeypatch.setattr(turns, "_SLOW_SECONDS", 0.0)

    async def scene() -> None:
        taken, end = Turns(), asyncio.Event()
        inside = _crowd(taken, 500, sort, end)
        while inside() < turns._SLOW + sort.places:
            await asyncio.sleep(0)
        await _settled()
        assert inside() == turns._SLOW + sort.places
        end.set()
        while inside() < 500:
            await asyncio.sleep(0)

    asyncio.run(scene())


def test_a_round_that_waits_has_a_place_of_news_as_soon_as_there_are_any() -> None:
    async def scene() -> None:
        taken, end, news = Turns(), asyncio.Event(), asyncio.Event()
        rounds = _crowd(taken, 500, Sort.ROUND, end)
        await _settled()
        inside = asyncio.Event()

        async def one() -> None:
            async with taken.take(Sort.ROUND, news):
                inside.set()

        late = asyncio.create_task(one())
        await _settled()
        assert not inside.is_set()
        news.set()
        await _settled()
        assert (inside.is_set(), rounds()) == (True, Sort.ROUND.places)
        await late
        end.set()
        while rounds() < 500:
            await asyncio.sleep(0)

    asyncio.run(scene())


def test_a_round_that_is_ended_while_it_waits_leaves_its_place_to_others() -> None:
    async def scene() -> None:
        taken, end = Turns(), asyncio.Event()
        rounds = _crowd(taken, Sort.ROUND.places, Sort.ROUND, end)
        await _settled()

        async def one() -> None:
            async with taken.take(Sort.ROUND, asyncio.Event()):
                pass

        ended = [asyncio.create_task(one()) for _ in range(5)]
        await _settled()
        for task in ended:
            task.cancel()
        end.set()
        await asyncio.gather(*ended, return_exceptions=True)
        again = _crowd(taken, Sort.ROUND.places, Sort.ROUND, asyncio.Event())
        await _settled()
        assert (rounds(), again()) == (Sort.ROUND.places, Sort.ROUND.places)

    asyncio.run(scene())


def test_a_pass_that_fails_gives_its_place_back() -> None:
    async def scene() -> None:
        taken = Turns()
        for _ in range(2 * Sort.FIRST.places):
            with pytest.raises(ZeroDivisionError):
                async with taken.take(Sort.FIRST, asyncio.Event()):
                    raise ZeroDivisionError
        async with asyncio.timeout(5), taken.take(Sort.FIRST, asyncio.Event()):
            pass

    asyncio.run(scene())
