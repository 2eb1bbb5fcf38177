"""Which of several operators acts: leader election over a Lease, as pure decisions.

No clock is compared with another one. The leader counts from when it sent the renewal that was
taken, the others from when they saw it, which is later: it stops before they begin.
"""

import math
from dataclasses import dataclass, replace

LEASE_SECONDS = 12.0
"""Others take the lease when they have seen no renewal for so long."""
RENEW_SECONDS = 8.0
"""The leader acts for so long after its last renewal.

What lies between the two is for clocks that run unevenly and for writes under way.
"""
RETRY_SECONDS = 2.0
"""Between two renewals of the leader, and between two looks of the others."""
FAILED_SECONDS = 1.0
"""After a request that failed."""
REQUEST_SECONDS = 3.0
"""The longest wait for an answer: a second try fits into what the leader has left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What the API server stores."""

    holder: str = ""
    """Empty when nobody has it."""
    version: str = ""
    """Changes with every write; empty when there is no Lease yet."""
    transitions: int = 0
    """How often it went to another holder."""
    seconds: float = LEASE_SECONDS
    """How long its holder wants others to wait."""


@dataclass(frozen=True, slots=True)
class Read:
    """Read the Lease."""


@dataclass(frozen=True, slots=True)
class Write:
    """Write the Lease, unless its version has changed."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Lost:
    """Never act again: another one may."""


Step = Read | Write | Wait | Lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One operator in the election; every moment is one of its own clock."""

    name: str
    """Of this process alone: one that is started again is another candidate."""
    seen: Lease | None = None
    """The Lease as it was last seen."""
    seen_at: float = -math.inf
    """When it was first seen like that."""
    sure: bool = False
    """Whether a write may rest on `seen`."""
    until: float | None = None
    """End of the time in which it acts; None when it never led."""
    due: float = -math.inf
    """When something is to be done next."""

    def leads(self, now: float) -> bool:
        """Whether it may act."""
        return self.until is not None and now < self.until and not self.deposed()

    def step(self, now: float) -> Step:
        """What to do now."""
        if self.until is not None and not self.leads(now):
            return Lost()
        if now < self.due:
            end = self.due if self.until is None else min(self.due, self.until)
            return Wait(end - now)
        if self.seen is None or not self.sure:
            return Read()
        return Write(self._claim(self.seen))

    def saw(self, lease: Lease | None, now: float) -> "Candidate":
        """The answer to a read; None when there is no Lease.

        One that was deleted still belongs to its holder for its time.
        """
        seen, seen_at = self.seen, self.seen_at
        if lease is None:
            seen = replace(seen, version="") if seen else Lease()
        elif seen is None or lease.version != seen.version:
            seen, seen_at = lease, now
        free_at = seen_at + max(seen.seconds, LEASE_SECONDS)
        if self.until is not None or seen.holder in ("", self.name) or now >= free_at:
            return replace(self, seen=seen, seen_at=seen_at, sure=True, due=now)
        due = min(now + RETRY_SECONDS, free_at)
        return replace(self, seen=seen, seen_at=seen_at, sure=False, due=due)

    def wrote(self, lease: Lease, sent: float, now: float) -> "Candidate":
        """A write sent at that moment was taken; the Lease as it is stored."""
        until = sent + RENEW_SECONDS
        own = replace(self, seen=lease, seen_at=now, sure=True)
        if self.until is None and now >= until:  # too late to act on
            return replace(own, due=now)
        return replace(own, until=until, due=sent + RETRY_SECONDS)

    def failed(self, now: float) -> "Candidate":
        """A request brought no answer, or a refusal: what is stored is not known."""
        return replace(self, sure=False, due=now + FAILED_SECONDS)

    def resignation(self) -> Lease | None:
        """What a leader writes that ends by itself, so that nobody has to wait."""
        if self.until is None or self.seen is None or self.deposed():
            return None
        return replace(self.seen, holder="")

    def deposed(self) -> bool:
        """Whether another one is known to have the Lease."""
        return self.sure and self.seen is not None and self.seen.holder != self.name

    def _claim(self, seen: Lease) -> Lease:
        moved = bool(seen.version) and seen.holder != self.name
        return Lease(
            holder=self.name,
            version=seen.version,
            transitions=seen.transitions + moved,
        )
