"""Leader election: one candidate in a few steps, then many on a network that does its worst."""

import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from kubefit.core.election import (
    LEASE_SECONDS,
    RENEW_SECONDS,
    REQUEST_SECONDS,
    RETRY_SECONDS,
    Candidate,
    Lease,
    Lost,
    Read,
    Wait,
    Write,
)

FAULTS = ("freeze", "kill", "cut", "start")
OTHERS = Lease(holder="other", version="2")
MINE = Lease(holder="me", version="1")


def leader(sent: float = 0.0) -> Candidate:
    return Candidate(name="me").saw(None, sent).wrote(MINE, sent, sent)


def test_without_a_lease_one_is_made() -> None:
    new = Candidate(name="me")
    assert new.step(0.0) == Read()
    assert new.saw(None, 0.0).step(0.0) == Write(Lease(holder="me"))


def test_a_lease_that_was_given_back_is_taken_at_once() -> None:
    given_back = Lease(version="7", transitions=2)
    asked = Candidate(name="me").saw(given_back, 0.0).step(0.0)
    assert asked == Write(Lease(holder="me", version="7", transitions=3))


def test_a_lease_of_another_is_taken_when_it_was_not_renewed() -> None:
    waiting = Candidate(name="me").saw(OTHERS, 0.0)
    assert waiting.step(0.0) == Wait(RETRY_SECONDS)
    waiting = waiting.saw(OTHERS, LEASE_SECONDS - 0.5)
    assert waiting.step(LEASE_SECONDS - 0.5) == Wait(0.5)
    waiting = waiting.saw(OTHERS, LEASE_SECONDS)
    assert waiting.step(LEASE_SECONDS) == Write(Lease(holder="me", version="2", transitions=1))


def test_a_renewal_of_another_is_respected() -> None:
    waiting = Candidate(name="me").saw(OTHERS, 0.0)
    waiting = waiting.saw(replace(OTHERS, version="3"), LEASE_SECONDS)
    assert waiting.step(LEASE_SECONDS) == Wait(RETRY_SECONDS)


def test_a_holder_that_asks_for_more_time_gets_it() -> None:
    patient = replace(OTHERS, seconds=60.0)
    waiting = Candidate(name="me").saw(patient, 0.0).saw(patient, LEASE_SECONDS)
    assert isinstance(waiting.step(LEASE_SECONDS), Wait)


def test_a_lease_that_was_deleted_is_still_its_holders_for_its_time() -> None:
    waiting = Candidate(name="me").saw(OTHERS, 0.0).saw(None, 1.0)
    assert isinstance(waiting.step(1.0), Wait)
    assert waiting.saw(None, LEASE_SECONDS).step(LEASE_SECONDS) == Write(Lease(holder="me"))


def test_a_leader_renews_and_makes_a_lease_anew_that_was_deleted() -> None:
    assert leader().step(0.0) == Wait(RETRY_SECONDS)
    assert leader().step(RETRY_SECONDS) == Write(MINE)
    deleted = leader().failed(2.0).saw(None, 3.0)
    assert deleted.step(3.0) == Write(Lease(holder="me"))


def test_a_leader_whose_write_was_refused_looks_who_has_the_lease() -> None:
    unsure = leader().failed(2.0)
    assert unsure.step(3.0) == Read()
    assert unsure.saw(replace(MINE, version="5"), 3.0).step(3.0) == Write(
        replace(MINE, version="5")
    )
    deposed = unsure.saw(OTHERS, 3.0)
    assert deposed.step(3.0) == Lost()
    assert not deposed.leads(3.0)


def test_a_leader_that_cannot_renew_stops_before_others_begin() -> None:
    assert leader().leads(RENEW_SECONDS - 0.1)
    assert not leader().leads(RENEW_SECONDS)
    assert leader().step(RENEW_SECONDS) == Lost()
    assert RENEW_SECONDS + REQUEST_SECONDS < LEASE_SECONDS


def test_two_tries_fit_into_what_is_left_after_a_renewal() -> None:
    assert RETRY_SECONDS + 2 * REQUEST_SECONDS <= RENEW_SECONDS


def test_an_answer_that_came_too_late_makes_no_leader() -> None:
    late = Candidate(name="me").saw(None, 0.0).wrote(MINE, 0.0, RENEW_SECONDS)
    assert not late.leads(RENEW_SECONDS)
    assert late.step(RENEW_SECONDS) == Write(MINE)


def test_only_a_leader_gives_the_lease_back() -> None:
    assert leader().resignation() == Lease(version="1")
    assert Candidate(name="me").saw(OTHERS, 0.0).resignation() is None
    assert leader().failed(2.0).saw(OTHERS, 3.0).resignation() is None


@dataclass
class Network:
    """Candidates, one server, and a network that loses and delays; time is the server's."""

    random: Random
    now: float = 0.0
    lease: Lease | None = None
    alive: dict[str, "Process"] = field(default_factory=dict)
    reigns: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Begin and end of the time in which a candidate held that it may act."""
    bad_until: float = 0.0
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _versions: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._numbers), do))

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, do = heapq.heappop(self._events)
            do()
        self.now = until

    def delay(self) -> float:
        """Of a message; infinite when it is lost."""
        if self.now >= self.bad_until or self.random.random() < 0.7:
            return 0.01
        return self.random.choice([0.3, 1.0, REQUEST_SECONDS, 7.0, 20.0, math.inf])

    def send(self, serve: Callable[[], object], answer: Callable[[object], None]) -> None:
        def arrive() -> None:
            found, back = serve(), self.delay()
            if back < math.inf:
                self.after(back, lambda: answer(found))

        there = self.delay()
        if there < math.inf:
            self.after(there, arrive)

    def store(self, lease: Lease) -> Lease | None:
        """The Lease as it is stored; None is a conflict."""
        if lease.version != (self.lease.version if self.lease else ""):
            return None
        self.lease = replace(lease, version=str(next(self._versions)))
        return self.lease


@dataclass
class Process:
    """Does what its candidate says, on a clock of its own; may be frozen for a while."""

    network: Network
    candidate: Candidate
    offset: float
    rate: float
    frozen_until: float = 0.0
    cut_until: float = 0.0
    dead: bool = False
    waits_for: object = None

    def clock(self) -> float:
        return self.offset + self.rate * self.network.now

    def turn(self) -> None:
        if self.dead:
            return
        if self.network.now < self.frozen_until:
            self.network.after(self.frozen_until - self.network.now, self.turn)
            return
        match self.candidate.step(self.clock()):
            case Wait(seconds):
                self.network.after(seconds / self.rate + 1e-6, self.turn)
            case Read():
                self.ask(lambda: self.network.lease, self.candidate.saw)
            case Write(lease):
                sent = self.clock()

                def taken(stored: Lease | None, now: float) -> Candidate:
                    if stored is None:
                        return self.candidate.failed(now)
                    return self.candidate.wrote(stored, sent, now)

                self.ask(lambda: self.network.store(lease), taken)
            case Lost():
                self.end()

    def ask(self, serve, take) -> None:
        """Sends a request; whichever comes first, answer or deadline, is its outcome."""
        self.waits_for = request = object()

        def outcome(find: Callable[[], Candidate]) -> None:
            if self.waits_for is not request or self.dead:
                return
            if self.network.now < self.frozen_until:
                self.network.after(self.frozen_until - self.network.now, lambda: outcome(find))
                return
            self.waits_for = None
            self.candidate = find()
            if self.candidate.until is not None:
                end = (self.candidate.until - self.offset) / self.rate
                reigns, name = self.network.reigns, self.candidate.name
                reigns[name] = (reigns.get(name, (self.network.now,))[0], end)
            self.turn()

        if self.network.now >= self.cut_until:
            self.network.send(serve, lambda found: outcome(lambda: take(found, self.clock())))
        self.network.after(
            REQUEST_SECONDS, lambda: outcome(lambda: self.candidate.failed(self.clock()))
        )

    def end(self) -> None:
        self.dead = True
        self.network.alive.pop(self.candidate.name)


def overlapping(reigns: dict[str, tuple[float, float]]) -> list[object]:
    in_order = sorted((begin, end, name) for name, (begin, end) in reigns.items())
    return [(one, two) for one, two in itertools.pairwise(in_order) if two[0] < one[1]]


@settings(max_examples=300)
@given(
    random=st.randoms(use_true_random=False),
    faults=st.lists(st.tuples(st.sampled_from(FAULTS), st.floats(0.1, 20.0)), max_size=12),
    count=st.integers(2, 4),
)
def test_never_two_act_and_in_the_end_one_does(random, faults, count) -> None:
    network = Network(random)
    names = (f"operator-{number}" for number in itertools.count())

    def start() -> None:
        candidate = Candidate(name=next(names))
        offset, rate = random.uniform(-1e6, 1e6), random.uniform(0.9, 1.1)
        process = Process(network, candidate, offset, rate)
        network.alive[candidate.name] = process
        process.turn()

    network.bad_until = sum(seconds for _, seconds in faults) + 1.0
    for _ in range(count):
        start()
    for fault, seconds in faults:
        victims = sorted(network.alive.values(), key=lambda one: one.candidate.until or 0.0)
        if fault == "start" or not victims:
            start()
        elif fault == "kill":
            victims[-1].end()
        elif fault == "freeze":
            victims[-1].frozen_until = network.now + random.uniform(0.0, 30.0)
        else:
            victims[-1].cut_until = network.now + random.uniform(0.0, 30.0)
        network.run(network.now + seconds)
    network.run(max(network.now, network.bad_until))
    network.run(network.now + 60.0)  # whatever was frozen or under way has come to an end
    start()
    network.run(network.now + 2 * LEASE_SECONDS)
    assert overlapping(network.reigns) == []
    leaders = [one for one in network.alive.values() if one.candidate.leads(one.clock())]
    assert len(leaders) == 1
