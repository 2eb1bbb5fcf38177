"""Many jobs at a time: bursts, slow ones, ones of which nothing is heard."""

import asyncio
from collections import Counter

import pytest

from kubefit.controller import worklist
from kubefit.controller.worklist import Key, Worklist


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch) -> None:
    monkeypatch.setattr(worklist, "_REST_SECONDS", 0.0)
    monkeypatch.setattr(worklist, "_PAUSE_SECONDS", 0.0)


def _key(name: object) -> Key:
    return "team", str(name)


def test_slow_jobs_never_keep_another_one_waiting() -> None:
    async def scene() -> None:
        served = asyncio.Event()

        async def work(key: Key, _news: asyncio.Event) -> None:
            if key == _key("prompt"):
                served.set()
            else:
                await asyncio.Event().wait()

        worked = Worklist(work)
        for number in range(500):
            worked.look(_key(number))
        worked.look(_key("prompt"))
        await served.wait()
        await worked.close()

    asyncio.run(scene())


def test_what_happens_during_a_pass_leads_to_one_more_and_passes_never_overlap() -> None:
    async def scene() -> None:
        passes, running = Counter(), Counter()
        go_on = asyncio.Event()
        begun = [asyncio.Event() for _ in range(2)]

        async def work(key: Key, _news: asyncio.Event) -> float:
            running[key] += 1
            assert running[key] == 1
            begun[passes[key]].set()
            passes[key] += 1
            await go_on.wait()
            running[key] -= 1
            return 1e9

        worked = Worklist(work)
        worked.look(_key(1))
        await begun[0].wait()
        for _ in range(100):
            worked.look(_key(1))
        go_on.set()
        await begun[1].wait()
        worked.look(_key(2))
        assert passes[_key(1)] == 2
        await worked.close()

    asyncio.run(scene())


@pytest.mark.parametrize(("lasts", "next_at"), [(4.0, 10.0), (12.0, 13.0)])
def test_a_job_rests_from_the_beginning_of_its_pass_or_a_moment_after_it(
    monkeypatch, lasts, next_at
) -> None:
    monkeypatch.setattr(worklist, "_REST_SECONDS", 10.0)
    monkeypatch.setattr(worklist, "_PAUSE_SECONDS", 1.0)

    async def scene() -> None:
        loop, now, begun = asyncio.get_running_loop(), [0.0], []
        monkeypatch.setattr(loop, "time", lambda: now[0])

        async def work(key: Key, _news: asyncio.Event) -> float:
            begun.append(now[0])
            now[0] += lasts
            worked.look(key)
            return 1e9

        worked = Worklist(work)
        worked.look(_key(1))
        for _ in range(10):
            await asyncio.sleep(0)
        assert begun == [0.0]
        now[0] = next_at
        for _ in range(10):
            await asyncio.sleep(0)
        assert begun == [0.0, next_at]
        await worked.close()

    asyncio.run(scene())


def test_a_job_of_which_nothing_is_heard_is_looked_at_all_the_same(monkeypatch) -> None:
    monkeypatch.setattr(worklist, "_AT_LATEST_SECONDS", 0.0)

    async def scene() -> None:
        passes, enough = Counter(), asyncio.Event()

        async def work(key: Key, _news: asyncio.Event) -> float:
            passes[key] += 1
            if passes[key] == 3:
                enough.set()
            return float("inf")

        worked = Worklist(work)
        worked.look(_key(1))
        await enough.wait()
        await worked.close()

    asyncio.run(scene())


def test_a_pass_is_told_whether_something_may_be_new(monkeypatch) -> None:
    async def scene() -> None:
        told, enough = [], asyncio.Event()

        async def work(key: Key, news: asyncio.Event) -> float:
            told.append(news.is_set())
            if len(told) == 2:
                worked.look(key)
            if len(told) == 4:
                enough.set()
            return 0.0

        worked = Worklist(work)
        worked.look(_key(1))
        await enough.wait()
        await worked.close()
        assert told[:4] == [True, False, True, False]

    asyncio.run(scene())


def test_a_job_that_is_gone_is_forgotten() -> None:
    async def scene() -> None:
        done = asyncio.Event()

        async def work(key: Key, _news: asyncio.Event) -> None:
            done.set()

        worked = Worklist(work)
        worked.look(_key(1))
        await done.wait()
        await asyncio.sleep(0)
        assert not worked._entries

    asyncio.run(scene())
