"""Every second of a job is counted once, whatever happened to it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubefit.api.contract import Cause, ExitCode, Spent
from kubefit_trainer.agent.goodput import Lost, goodput
from kubefit_trainer.agent.policy import Attempt
from kubefit_trainer.agent.rendezvous import Limits, Rendezvous

CRASH = Cause(rank=1, exit_code=ExitCode.CRASHED, reason="Crashed", message="it crashed")
SPENT = Spent(productive=40, data=5, checkpoint=3, lost_work=2, until=160)
"""From 110 to 160."""


def attempt(number: int = 1, **fields: object) -> Attempt:
    return Attempt.model_validate({"number": number, "size": 2, "began": 100.0, **fields})


FIRST = attempt(awaited=90.0, ended=170.0, cause=CRASH, spent=SPENT)
SECOND = attempt(2, began=175.0, spent=Spent(productive=10, lost_work=5, until=200))
PUT_OFF = FIRST.model_copy(update={"job": "a", "left": 172.0})
RESUMED = attempt(
    2, job="b", awaited=9000.0, began=9005.0, spent=Spent(productive=10, lost_work=5, until=9030)
)


@pytest.mark.parametrize(
    ("attempts", "now", "productive", "lost"),
    [
        pytest.param([], 500, 0, {}, id="nothing has begun"),
        pytest.param([attempt(awaited=90.0)], 500, 0, {"startup": 10}, id="a start is under way"),
        pytest.param(
            [attempt(awaited=90.0, spent=SPENT)],
            500,
            40,
            {"startup": 20, "data": 5, "checkpoint": 3, "lost_work": 2},
            id="a step is under way",
        ),
        pytest.param(
            [attempt(awaited=90.0, ended=165.0, spent=SPENT)],
            500,
            45,
            {"startup": 20, "data": 5, "checkpoint": 3, "lost_work": 2},
            id="it succeeded, and the chief waited for the others",
        ),
        pytest.param(
            [FIRST],
            172,
            40,
            {"startup": 20, "data": 5, "checkpoint": 3, "lost_work": 2, "restart": 12},
            id="it hung until it was noticed, and waits for the next attempt",
        ),
        pytest.param(
            [FIRST, SECOND],
            500,
            50,
            {"startup": 20, "data": 5, "checkpoint": 3, "lost_work": 7, "restart": 25},
            id="it trains again",
        ),
        pytest.param(
            [attempt(ended=130.0, cause=CRASH), attempt(2, began=131.0)],
            500,
            0,
            {"startup": 30, "restart": 1},
            id="the first attempt made no step",
        ),
        pytest.param(
            [PUT_OFF],
            500,
            40,
            {"startup": 20, "data": 5, "checkpoint": 3, "lost_work": 2, "restart": 12},
            id="worker 0 was told to stop: nothing is waited for any more",
        ),
        pytest.param(
            [PUT_OFF, RESUMED],
            9500,
            50,
            {"startup": 35, "data": 5, "checkpoint": 3, "lost_work": 7, "restart": 12},
            id="it was suspended, and trains again in the pods of another Job",
        ),
        pytest.param(
            [PUT_OFF, RESUMED.model_copy(update={"job": "a", "awaited": None})],
            9500,
            50,
            {"startup": 20, "data": 5, "checkpoint": 3, "lost_work": 7, "restart": 8855},
            id="its pods came late, but of the same Job",
        ),
    ],
)
def test_seconds_are_where_they_belong(attempts, now, productive, lost) -> None:
    found = goodput(attempts, now=now)
    assert found.productive == pytest.approx(productive)
    assert found.lost == pytest.approx({**dict.fromkeys(Lost, 0), **lost})


def test_a_suspension_of_a_job_whose_worker_0_went_without_a_word_is_not_lost_either() -> None:
    limits = Limits(workers=2)
    open_one = PUT_OFF.model_copy(update={"ended": None, "left": None, "cause": None})
    host = Rendezvous(limits=limits, run=open_one.run, attempts=[open_one], began=0.0, job="b")
    host.close_left_open(9000.0)
    closed = goodput(host.attempts, now=9010.0)
    assert closed.wall == pytest.approx(open_one.spent.until - open_one.awaited)
    told = [*host.attempts, RESUMED.model_copy(update={"run": open_one.run})]
    assert goodput(told, now=9500.0).lost[Lost.RESTART] == closed.lost[Lost.RESTART]


seconds = st.floats(0, 1e5)


@st.composite
def histories(draw: st.DrawFn) -> list[list[Attempt]]:
    """A job at growing times, as `attempts.json` tells of it."""
    now, told, states, job = 1000.0, [], [], 0
    for number in range(1, draw(st.integers(1, 4)) + 1):
        suspended = bool(told) and draw(st.booleans())
        if suspended:
            told[-1] = told[-1].model_copy(update={"left": now})
            states.append(list(told))
            job, now = job + 1, now + draw(seconds)
        awaited, now = now, now + draw(seconds)
        current = attempt(number, job=str(job), awaited=awaited, began=now)
        states.append([*told, current])
        now += draw(seconds)
        sums = dict.fromkeys(("productive", "data", "checkpoint", "lost_work"), 0.0)
        for _ in range(draw(st.integers(0, 3))):
            for name in sums:
                passed = draw(seconds)
                sums[name], now = sums[name] + passed, now + passed
            current = current.model_copy(update={"spent": Spent(**sums, until=now)})
            states.append([*told, current])
        now += draw(seconds)
        current = current.model_copy(update={"ended": now, "cause": CRASH})
        told.append(current)
        states.append(list(told))
    return states


def known_until(attempts: list[Attempt]) -> float:
    last = attempts[-1]
    return last.left or last.ended or (last.spent.until if last.spent else last.began)


@given(histories())
def test_productive_and_lost_seconds_are_the_time_that_the_job_was_not_suspended(states) -> None:
    for attempts in states:
        until = known_until(attempts)
        rested = sum(
            later.awaited - earlier.left
            for earlier, later in itertools.pairwise(attempts)
            if earlier.left and later.awaited
        )
        assert goodput(attempts, now=until).wall == pytest.approx(until - 1000.0 - rested)


@given(histories())
def test_no_sum_ever_shrinks(states) -> None:
    before = dict.fromkeys([*Lost, "productive"], 0.0)
    for attempts in states:
        found = goodput(attempts, now=known_until(attempts))
        after = {**found.lost, "productive": found.productive}
        # Sums of floats in another order differ in their last digits.
        assert all(after[name] >= before[name] - 1e-6 for name in after)
        before = after
