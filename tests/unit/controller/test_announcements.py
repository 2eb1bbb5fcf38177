"""Events are published beside the passes, and their faults end nothing."""

import asyncio
import logging
from typing import Any

import pytest

from kubefit.controller import announcements
from kubefit.controller.announcements import Announcements
from kubefit.controller.api import NotLeadingError
from kubefit.controller.connection import ApiError, UnreachableError
from kubefit.core.plan import Event

TRAINING = {
    "apiVersion": "kubefit.dev/v1alpha1",
    "kind": "TrainingJob",
    "metadata": {"namespace": "team", "name": "digits", "uid": "u", "resourceVersion": "7"},
}


class Server:
    """Takes Events once it may, or refuses them."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.taken: list[dict[str, Any]] = []
        self.asked = 0
        self.open = asyncio.Event()
        self._refusal = refusal

    async def create(self, body: dict[str, Any]) -> None:
        self.asked += 1
        await self.open.wait()
        if self._refusal:
            raise self._refusal
        self.taken.append(body)


def test_events_are_taken_later_and_tell_of_that_version_of_the_job() -> None:
    async def scene() -> None:
        server = Server()
        announced = Announcements(server)
        for reason in ("Starting", "Running", *(f"No{number}" for number in range(20))):
            announced.publish(TRAINING, Event(reason=reason, message="m" * 2000, warning=False))
        await asyncio.sleep(0)
        assert (server.taken, server.asked) == ([], 4)
        server.open.set()
        await announced.close()
        assert [one["reason"] for one in server.taken[:2]] == ["Starting", "Running"]
        assert len(server.taken) == 22
        (about,) = [one["involvedObject"] for one in server.taken if one["reason"] == "No7"]
        assert (about["uid"], about["resourceVersion"]) == ("u", "7")
        assert {len(one["message"]) for one in server.taken} == {1024}

    asyncio.run(scene())


@pytest.mark.parametrize(
    "refusal",
    [ApiError(403, "no right"), UnreachableError("no answer"), NotLeadingError("POST events")],
)
def test_one_that_is_not_taken_is_logged_with_its_job(refusal, caplog) -> None:
    async def scene() -> None:
        server = Server(refusal)
        server.open.set()
        announced = Announcements(server)
        announced.publish(TRAINING, Event(reason="Failed", message="why", warning=True))
        await announced.close()

    with caplog.at_level(logging.WARNING, logger="kubefit"):
        asyncio.run(scene())
    (record,) = caplog.records
    assert (record.namespace, record.job) == ("team", "digits")
    assert "Failed" in record.getMessage()
    assert str(refusal) in record.getMessage()


def test_the_operator_ends_though_some_are_not_taken(monkeypatch) -> None:
    monkeypatch.setattr(announcements, "_LAST_SECONDS", 0.0)

    async def scene() -> None:
        server = Server()
        announced = Announcements(server)
        announced.publish(TRAINING, Event(reason="Running", message="", warning=False))
        await announced.close()
        await asyncio.sleep(0)
        server.open.set()
        await asyncio.sleep(0)
        assert server.taken == []

    asyncio.run(scene())


def test_no_more_wait_than_there_is_room_for_and_what_has_none_is_logged(
    monkeypatch, caplog
) -> None:
    monkeypatch.setattr(announcements, "_MOST", 3)

    async def scene() -> None:
        server = Server()
        announced = Announcements(server)
        for number in range(4):
            announced.publish(TRAINING, Event(reason=f"No{number}", message="", warning=False))
        server.open.set()
        await announced.close()
        assert len(server.taken) == 3

    asyncio.run(scene())
    assert "the Event No3 is not published: 3 others wait" in caplog.text
