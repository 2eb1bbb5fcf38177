"""Events are read rarely, and only where pods are missing or are not started."""

import asyncio
import datetime
from typing import Any

import pytest

from kubefit.controller import cluster_events
from kubefit.controller.cluster_events import ClusterEvents

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


class Events:
    """An API server that counts how often it was asked."""

    def __init__(self, faulty: str = "") -> None:
        self.asked: list[str] = []
        self.faulty = faulty

    async def events(self, about: dict[str, Any], reason: str = "") -> tuple[dict[str, Any], ...]:
        uid = about["metadata"]["uid"]
        self.asked.append(uid)
        said = "FailedMount" if uid == self.faulty else "Pulling"
        time = {"lastTimestamp": "2026-01-02T03:04:00Z"}
        return ({**time, "reason": said, "message": f"of {uid}, {len(self.asked)}"},)


class SlowEvents(Events):
    """One for which each question takes a while."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.now = 0.0
        self.fails = False

    async def events(self, about: dict[str, Any], reason: str = "") -> tuple[dict[str, Any], ...]:
        self.now += self.seconds
        if self.fails:
            raise TimeoutError
        return await super().events(about, reason)


def job(uid: str) -> dict[str, Any]:
    started = {"startTime": "2026-01-02T03:04:00Z"}
    return {"metadata": {"uid": uid}, "spec": {"completions": 1}, "status": started}


def ask(refused: ClusterEvents, uid: str, seconds: float) -> list[str]:
    now = NOW + datetime.timedelta(seconds=seconds)
    return [event["message"] for event in asyncio.run(refused.refused_pods(job(uid), (), now))]


def test_events_of_a_job_are_read_again_only_after_a_while() -> None:
    events = Events()
    refused = ClusterEvents(events)
    assert ask(refused, "a", 0) == ask(refused, "a", 14) == ["of a, 1"]
    assert ask(refused, "b", 14) == ["of b, 2"]
    assert ask(refused, "a", 15) == ["of a, 3"]
    assert events.asked == ["a", "b", "a"]


def test_where_reading_takes_long_it_is_done_less_often_and_earlier_answers_serve() -> None:
    events = SlowEvents(seconds=2.0)
    refused = ClusterEvents(events, clock=lambda: events.now)
    assert ask(refused, "a", 0) == ["of a, 1"]
    assert ask(refused, "b", 0) == []
    events.now += 12
    assert ask(refused, "a", 14) == ["of a, 1"]
    assert ask(refused, "b", 14) == []
    events.now += 22
    assert ask(refused, "b", 36) == ["of b, 2"]
    assert ask(refused, "a", 36) == ["of a, 1"]
    assert ask(refused, "a", 600) == ["of a, 1"]
    assert ask(refused, "a", 1200) == []
    events.now += 600
    assert ask(refused, "a", 1201) == ["of a, 3"]


def test_questions_without_an_answer_take_their_share_of_the_time_too() -> None:
    events = SlowEvents(seconds=2.0)
    events.fails = True
    refused = ClusterEvents(events, clock=lambda: events.now)
    assert ask(refused, "a", 0) == []
    events.fails = False
    assert ask(refused, "a", 0) == []
    events.now += 35
    assert ask(refused, "a", 0) == ["of a, 1"]


class Waiting(Events):
    """One that answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = asyncio.Event()

    async def events(self, about: dict[str, Any], reason: str = "") -> tuple[dict[str, Any], ...]:
        found = await super().events(about, reason)
        await self.answers.wait()
        return found


@pytest.fixture
def waiting(monkeypatch) -> Waiting:
    monkeypatch.setattr(cluster_events, "_WAIT_SECONDS", 0.0)
    return Waiting()


def test_no_pass_waits_long_for_an_answer_and_the_next_one_has_it(waiting) -> None:
    async def scene() -> None:
        refused = ClusterEvents(waiting)
        for _ in range(3):
            assert await refused.refused_pods(job("a"), (), NOW) == ()
        waiting.answers.set()
        await asyncio.sleep(0)
        (said,) = await refused.refused_pods(job("a"), (), NOW)
        assert (said["message"], waiting.asked) == ("of a, 1", ["a"])

    asyncio.run(scene())


def test_few_are_read_at_a_time_and_what_is_read_ends_with_the_operator(waiting) -> None:
    async def scene() -> None:
        refused = ClusterEvents(waiting)
        for number in range(50):
            await refused.refused_pods(job(f"job-{number}"), (), NOW)
        assert len(waiting.asked) == 4
        await refused.close()
        waiting.answers.set()
        await refused.refused_pods(job("later"), (), NOW)
        assert len(waiting.asked) == 5

    asyncio.run(scene())


def test_pods_of_higher_ranks_wait_for_the_answer_about_a_lower_one(waiting) -> None:
    async def scene() -> None:
        pods = tuple(unstarted(rank) for rank in range(8))
        events = ClusterEvents(waiting)
        assert await events.of_unstarted(pods, NOW) == ()
        assert waiting.asked == ["p0"]
        await events.close()

    asyncio.run(scene())


def test_what_is_known_of_higher_ranks_is_told_while_a_lower_one_is_read_again(waiting) -> None:
    async def scene() -> None:
        pods = tuple(unstarted(rank) for rank in range(8))
        waiting.faulty = "p2"
        waiting.answers.set()
        events = ClusterEvents(waiting)
        for _ in range(3):
            await events.of_unstarted(pods, NOW)
            await asyncio.sleep(0)
        known = await events.of_unstarted(pods, NOW)
        assert [event["message"][:5] for event in known][:3] == ["of p0", "of p1", "of p2"]
        waiting.answers.clear()
        later = NOW + datetime.timedelta(seconds=30)
        assert await events.of_unstarted(pods, later) == known
        await events.close()

    asyncio.run(scene())


def test_an_answer_that_took_minutes_keeps_others_back_for_a_minute_at_most() -> None:
    events = SlowEvents(seconds=30.0)
    refused = ClusterEvents(events, clock=lambda: events.now)
    assert ask(refused, "a", 0) == ["of a, 1"]
    events.now += 54
    assert ask(refused, "b", 54) == []
    events.now += 1
    assert ask(refused, "b", 55) == ["of b, 2"]


def test_an_answer_that_fails_late_fails_no_pass(waiting, monkeypatch, caplog) -> None:
    async def fail(about: Any, reason: str = "") -> tuple[Any, ...]:
        await waiting.answers.wait()
        raise TimeoutError("no answer")

    monkeypatch.setattr(waiting, "events", fail)

    async def scene() -> None:
        refused = ClusterEvents(waiting)
        assert await refused.refused_pods(job("a"), (), NOW) == ()
        waiting.answers.set()
        for _ in range(5):
            await asyncio.sleep(0)
        monkeypatch.undo()
        (said,) = await refused.refused_pods(job("a"), (), NOW)
        assert said["message"] == "of a, 1"

    asyncio.run(scene())
    assert "Events cannot be read: no answer" in caplog.text


def test_nothing_is_read_for_a_job_without_a_job_or_whose_pods_may_still_come() -> None:
    events = Events()
    refused = ClusterEvents(events)
    assert ask(refused, "a", -1) == []
    assert asyncio.run(refused.refused_pods(None, (), NOW)) == ()
    assert events.asked == []


def unstarted(rank: int) -> dict[str, Any]:
    """A pod that has had its node for five seconds."""
    placed = {
        "type": "PodScheduled",
        "status": "True",
        "lastTransitionTime": "2026-01-02T03:04:00Z",
    }
    waits = {"state": {"waiting": {"reason": "ContainerCreating"}}}
    status = {"phase": "Pending", "conditions": [placed], "containerStatuses": [waits]}
    index = {"batch.kubernetes.io/job-completion-index": str(rank)}
    return {"metadata": {"uid": f"p{rank}", "annotations": index}, "status": status}


def test_events_of_a_pod_are_read_once_its_node_takes_long_to_start_it() -> None:
    pod = unstarted(0)
    events = ClusterEvents(Events())
    soon = NOW - datetime.timedelta(seconds=1)
    assert asyncio.run(events.of_unstarted((pod,), soon)) == ()
    (told,) = asyncio.run(events.of_unstarted((pod,), NOW))
    assert told["message"] == "of p0, 1"
    pod["status"]["containerStatuses"][0]["state"] = {"running": {}}
    assert asyncio.run(events.of_unstarted((pod,), NOW)) == ()


@pytest.mark.parametrize(("faulty", "asked"), [("p2", 3), ("", 8)])
def test_events_of_few_pods_are_read_up_to_the_first_that_has_a_fault(faulty, asked) -> None:
    server = Events(faulty)
    pods = tuple(unstarted(rank) for rank in range(256))
    assert len(asyncio.run(ClusterEvents(server).of_unstarted(pods, NOW))) == asked
    assert server.asked == [f"p{rank}" for rank in range(asked)]
