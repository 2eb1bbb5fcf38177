"""Which trials are started and stopped, whatever they show."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubefit.sweep.decide import State, Trial, best_of, decide, done, value_of
from kubefit.sweep.definition import SweepSpec


def spec(**fields) -> SweepSpec:
    return SweepSpec.model_validate(
        {
            "parameters": [{"path": "spec.workers", "values": [1, 2]}],
            "trials": 2,
            "objective": {"metric": "val_accuracy", "goal": "maximize"},
            "job": {},
            **fields,
        }
    )


def running(number: int, *values: float, state: State = State.RUNNING) -> Trial:
    return Trial(number=number, state=state, curve=dict(enumerate(values, 1)))


numbers = st.one_of(st.floats(-10, 10), st.just(math.nan))


@st.composite
def sweeps(draw):
    rule = draw(st.sampled_from(["none", "median", "halving"]))
    after, factor = draw(st.integers(1, 3)), draw(st.integers(2, 4))
    goal = draw(st.sampled_from(["maximize", "minimize"]))
    found = spec(
        objective={"metric": "m", "goal": goal, "take": draw(st.sampled_from(["last", "best"]))},
        parallel=draw(st.integers(1, 5)),
        max_failed=draw(st.integers(0, 5)),
        stopping={"rule": rule, "after": after, "factor": factor},
    )
    trials = []
    for number in range(draw(st.integers(1, 10))):
        state = draw(st.sampled_from(State))
        values = draw(st.lists(numbers, max_size=8)) if state is not State.WAITING else []
        first = draw(st.integers(1, 2))
        trials.append(Trial(number=number, state=state, curve=dict(enumerate(values, first))))
    return found, trials


@given(sweeps())
def test_no_more_run_than_may_and_only_those_are_started_that_wait(case) -> None:
    found, trials = case
    decision = decide(found, trials)
    states = {trial.number: trial.state for trial in trials}
    assert all(states[number] is State.WAITING for number in decision.start)
    assert all(states[number] is State.RUNNING for number in decision.stop)
    before = sum(state is State.RUNNING for state in states.values())
    after = before - len(decision.stop) + len(decision.start)
    assert after <= max(found.parallel, before)
    assert len(set(decision.start)) == len(decision.start)


@given(sweeps())
def test_something_is_under_way_until_the_sweep_is_done(case) -> None:
    found, trials = case
    decision = decide(found, trials)
    if not done(found, trials):
        runs = any(trial.state is State.RUNNING for trial in trials)
        assert runs or decision.start
    else:
        assert not decision.stop


@given(sweeps())
def test_the_best_of_all_is_never_stopped(case) -> None:
    found, trials = case
    turned = 1 if found.objective.goal == "maximize" else -1
    until = {
        trial.number: max((turned * v for v in trial.curve.values() if v == v), default=-math.inf)
        for trial in trials
        if trial.curve
    }
    if found.stopping.rule == "median" and until:
        top = max(until.values())
        stopped = decide(found, trials).stop
        assert not any(until[number] == top and top > -math.inf for number in stopped)


@given(sweeps())
def test_the_same_trials_give_the_same_decision_in_any_order(case) -> None:
    found, trials = case
    assert decide(found, trials) == decide(found, list(reversed(trials)))


def test_without_a_rule_nothing_is_stopped():
    trials = [running(0, 0.1, 0.1), *(running(n, 0.9, 0.9) for n in range(1, 6))]
    assert decide(spec(parallel=6), trials).stop == {}


def test_the_median_rule_stops_what_was_never_as_good_as_half_of_the_others_on_average():
    others = [running(n, 0.5, 0.7, state=State.SUCCEEDED) for n in (1, 2, 3)]
    rule = spec(stopping={"rule": "median", "after": 2})
    bad, good = running(0, 0.3, 0.59), running(0, 0.3, 0.61)
    (reason,) = decide(rule, [bad, *others]).stop.values()
    assert reason == "its best 0.59 of 2 epochs is worse than the median 0.6"
    assert decide(rule, [good, *others]).stop == {}
    assert decide(rule, [running(0, 0.1), *others]).stop == {}, "it has had one epoch of two"
    assert decide(rule, [bad, *others[:2]]).stop == {}, "two others are too few"


def test_a_diverged_trial_loses_against_any_number():
    rule = spec(
        objective={"metric": "loss", "goal": "minimize"}, stopping={"rule": "median", "after": 1}
    )
    others = [running(n, 1e30) for n in (1, 2, 3)]
    assert set(decide(rule, [running(0, math.nan), *others]).stop) == {0}


def test_halving_lets_one_of_factor_go_on_at_each_rung():
    rule = spec(parallel=9, stopping={"rule": "halving", "after": 1, "factor": 3})
    first = [running(n, n / 10) for n in range(9)]
    assert set(decide(rule, first).stop) == {0, 1, 2, 3, 4, 5}
    later = [
        *(running(n, n / 10, state=State.STOPPED) for n in range(6)),
        *(running(n, n / 10, 0.5, n / 10) for n in (6, 7, 8)),
    ]
    assert set(decide(rule, later).stop) == {6, 7}


@pytest.mark.parametrize("rule", ["halving", "median"])
def test_what_has_ended_early_counts_against_those_that_take_longer(rule: str):
    found = spec(parallel=4, stopping={"rule": rule, "after": 2, "factor": 2})
    ended = [running(n, 0.9, 0.9, state=State.SUCCEEDED) for n in (1, 2, 3)]
    assert set(decide(found, [running(0, *[0.1] * 50), *ended]).stop) == {0}


def test_a_stopped_trial_makes_room_for_the_next():
    rule = spec(parallel=3, stopping={"rule": "halving", "after": 1, "factor": 3})
    trials = [running(0, 0.9), running(1, 0.2), running(2, 0.1)]
    waiting = [Trial(number=n, state=State.WAITING) for n in (3, 4, 5)]
    decision = decide(rule, [*trials, *waiting])
    assert set(decision.stop) == {1, 2}
    assert decision.start == (3, 4)


def test_after_too_many_failures_nothing_more_is_started():
    failed = [Trial(number=n, state=State.FAILED) for n in range(2)]
    waiting = Trial(number=2, state=State.WAITING)
    assert decide(spec(max_failed=2), [*failed, waiting]).start == (2,)
    given_up = spec(max_failed=1)
    assert decide(given_up, [*failed, waiting]).start == ()
    assert done(given_up, [*failed, waiting])


@pytest.mark.parametrize(("take", "best", "value"), [("last", 1, 0.6), ("best", 0, 0.9)])
def test_trials_are_judged_by_the_last_or_the_best_epoch(take: str, best: int, value: float):
    objective = {"metric": "m", "goal": "maximize", "take": take}
    trials = [
        running(0, 0.9, 0.5, state=State.SUCCEEDED),
        running(1, 0.1, 0.6, state=State.SUCCEEDED),
        running(2, 1.0, 1.0, state=State.STOPPED),
    ]
    found = best_of(spec(objective=objective), trials)
    assert found is not None
    assert found.number == best
    assert value_of(spec(objective=objective), found) == value
