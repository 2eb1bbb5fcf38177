"""Keeps this process in the election: carries out what its candidate says, over a Lease."""

import asyncio
import datetime
import logging
from collections.abc import Callable
from http import HTTPStatus

from kubefit.controller.api import Api
from kubefit.controller.connection import ApiError, UnreachableError
from kubefit.core.election import (
    REQUEST_SECONDS,
    Candidate,
    Lease,
    Lost,
    Read,
    Write,
)
from kubefit.core.observed import Object

_LOG = logging.getLogger("kubefit")
_KIND = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
_NO_RIGHTS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class Elector:
    """Runs for the lease, then keeps it; `lost` is called as soon as this process must not act."""

    def __init__(
        self, api: Api, *, namespace: str, lease: str, name: str, lost: Callable[[str], None]
    ) -> None:
        self._api = api
        self._metadata = {"name": lease, "namespace": namespace}
        self._place = f"{namespace}/{lease}"
        self._candidate = Candidate(name=name)
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._end: asyncio.TimerHandle | None = None
        self._acquired = ""
        self._asking = asyncio.Lock()
        self._resigned = False
        self.elected = asyncio.Event()
        """Set once this process leads."""

    @property
    def seen(self) -> bool:
        """Whether the lease was ever seen, which needs a connection and the rights."""
        return self._candidate.seen is not None

    def leads(self) -> bool:
        """Whether this process may act at this moment."""
        return self._candidate.leads(self._loop.time())

    async def run(self) -> None:
        """Takes part until the lease is lost.

        Raises:
            ApiError: the operator has no right to the lease.

        """
        while True:
            async with self._asking:
                if self._resigned:
                    return
                step = self._candidate.step(self._loop.time())
                if isinstance(step, Read | Write):
                    await self._carry_out(step)
                    continue
            if isinstance(step, Lost):
                deposed = self._candidate.deposed()
                reason = "is another's now" if deposed else "could not be renewed in time"
                self._lost(f"the lease {self._place} {reason}")
                return
            await asyncio.sleep(step.seconds)

    async def resign(self) -> None:
        """Gives the lease back, if this process has it, and acts no more."""
        async with self._asking:
            if self._end:
                self._end.cancel()
            lease = self._candidate.resignation()
            self._candidate = Candidate(name=self._candidate.name)
            self._resigned = True
            if lease is None:
                return
            try:
                await self._api.write_lease(self._body(lease), REQUEST_SECONDS)
            except (ApiError, UnreachableError) as error:
                _LOG.warning("the lease %s was not given back: %s", self._place, error)

    async def _carry_out(self, step: Read | Write) -> None:
        try:
            await self._ask(step)
        except ApiError as error:
            if error.code in _NO_RIGHTS and not self.elected.is_set():
                raise
            if error.code != HTTPStatus.CONFLICT:
                _LOG.warning("the lease %s: the API server said: %s", self._place, error)
            self._candidate = self._candidate.failed(self._loop.time())
        except UnreachableError as error:
            _LOG.warning("the lease %s: no answer from the API server: %s", self._place, error)
            self._candidate = self._candidate.failed(self._loop.time())

    async def _ask(self, step: Read | Write) -> None:
        if isinstance(step, Read):
            stored = await self._api.get({**_KIND, "metadata": self._metadata}, REQUEST_SECONDS)
            self._saw(_lease(stored) if stored else None)
            return
        sent = self._loop.time()
        stored = await self._api.write_lease(self._body(step.lease), REQUEST_SECONDS)
        self._candidate = self._candidate.wrote(_lease(stored), sent, self._loop.time())
        if self._candidate.until is None:
            return
        if self._end:
            self._end.cancel()
        reason = f"the lease {self._place} could not be renewed in time"
        # A timer, not a task: after a process was frozen, timers run before any task goes on.
        self._end = self._loop.call_at(self._candidate.until, self._lost, reason)
        if not self.elected.is_set():
            _LOG.info("this operator leads: %s has the lease %s", self._candidate.name, self._place)
            self.elected.set()

    def _saw(self, lease: Lease | None) -> None:
        before = self._candidate.seen.holder if self._candidate.seen else None
        self._candidate = self._candidate.saw(lease, self._loop.time())
        holder = lease.holder if lease else ""
        if holder not in (before, "", self._candidate.name):
            _LOG.info("this operator waits: %s has the lease %s", holder, self._place)

    def _body(self, lease: Lease) -> Object:
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        before = self._candidate.seen
        if before is None or before.holder != lease.holder:
            self._acquired = now
        metadata = {**self._metadata}
        if lease.version:
            metadata["resourceVersion"] = lease.version
        return {
            **_KIND,
            "metadata": metadata,
            "spec": {
                "holderIdentity": lease.holder or None,
                "leaseDurationSeconds": int(lease.seconds),
                "acquireTime": self._acquired,
                "renewTime": now,
                "leaseTransitions": lease.transitions,
            },
        }


def _lease(stored: Object) -> Lease:
    spec = stored.get("spec") or {}
    return Lease(
        holder=spec.get("holderIdentity") or "",
        version=stored["metadata"]["resourceVersion"],
        transitions=spec.get("leaseTransitions") or 0,
        seconds=spec.get("leaseDurationSeconds") or 0,
    )
