"""An operator in the election, against a Lease in memory."""

import asyncio
from http import HTTPStatus
from typing import Any

import pytest

from kubefit.controller.connection import ApiError
from kubefit.controller.leader import Elector


class Leases:
    """Stores one Lease; writes can be held back, and all be refused."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] | None = None
        self.fault: Exception | None = None
        self.arrived, self.may_go_on = asyncio.Event(), asyncio.Event()
        self.may_go_on.set()

    async def get(self, body: dict[str, Any], timeout: float) -> dict[str, Any] | None:
        if self.fault:
            raise self.fault
        return self.stored

    async def write_lease(self, body: dict[str, Any], timeout: float) -> dict[str, Any]:
        self.arrived.set()
        await self.may_go_on.wait()
        if self.fault:
            raise self.fault
        before = self.stored["metadata"]["resourceVersion"] if self.stored else None
        if body["metadata"].get("resourceVersion") != before:
            raise ApiError(HTTPStatus.CONFLICT, "changed")
        metadata = {**body["metadata"], "resourceVersion": f"{before}'"}
        self.stored = {**body, "metadata": metadata}
        return self.stored

    @property
    def holder(self) -> str | None:
        return self.stored["spec"]["holderIdentity"] if self.stored else None


def _elector(leases: Leases, name: str) -> Elector:
    return Elector(leases, namespace="system", lease="kubefit", name=name, lost=print)


def test_the_lease_is_given_back_even_while_a_renewal_is_under_way() -> None:
    async def scene() -> None:
        leases = Leases()
        elector = _elector(leases, "one")
        running = asyncio.create_task(elector.run())
        await elector.elected.wait()
        assert elector.leads()
        leases.arrived.clear()
        leases.may_go_on.clear()
        await leases.arrived.wait()
        resigning = asyncio.create_task(elector.resign())
        leases.may_go_on.set()
        await resigning
        assert leases.holder is None
        assert not elector.leads()
        await running

    asyncio.run(scene())


def test_who_stands_by_leaves_the_lease_alone_when_told_to_stop() -> None:
    async def scene() -> None:
        leases = Leases()
        leader, other = _elector(leases, "one"), _elector(leases, "two")
        tasks = [asyncio.create_task(leader.run())]
        await leader.elected.wait()
        tasks.append(asyncio.create_task(other.run()))
        while not other.seen:
            await asyncio.sleep(0)
        await other.resign()
        assert leases.holder == "one"
        for task in tasks:
            task.cancel()

    asyncio.run(scene())


def test_an_operator_without_the_right_to_the_lease_says_so() -> None:
    async def scene() -> None:
        leases = Leases()
        leases.fault = ApiError(HTTPStatus.FORBIDDEN, "leases is forbidden")
        await _elector(leases, "one").run()

    with pytest.raises(ApiError, match="forbidden"):
        asyncio.run(scene())
