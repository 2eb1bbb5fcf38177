"""Which trials to start and which to stop: a pure function of what all of them have shown."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from kubefit.sweep.definition import Goal, Rule, Stopping, SweepSpec, Take

_ENOUGH = 3
"""Others that must have come as far before a median means something."""


class State(StrEnum):
    """Where a trial is."""

    WAITING = "Waiting"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STOPPED = "Stopped"
    """It was losing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A trial as far as decisions need it."""

    number: int
    state: State
    curve: Mapping[int, float] = field(default_factory=dict)
    """The objective by epoch, from 1; NaN where training has diverged."""
    note: str = ""
    """Why it was stopped, or has failed."""

    @property
    def reached(self) -> int:
        """The last epoch that it has finished; 0 before the first."""
        return max(self.curve, default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do now."""

    start: tuple[int, ...]
    """Numbers of trials, in order."""
    stop: Mapping[int, str]
    """Reasons by numbers of trials."""


def decide(spec: SweepSpec, trials: Sequence[Trial]) -> Decision:
    """What to do, given all trials; asked again with the same, it says the same."""
    running = [trial for trial in trials if trial.state is State.RUNNING]
    found = {trial.number: _losing(spec, trial, trials) for trial in running}
    stop = {number: reason for number, reason in found.items() if reason}
    waiting = [trial.number for trial in trials if trial.state is State.WAITING]
    free = max(0, spec.parallel - len(running) + len(stop))
    start = () if _given_up(spec, trials) else tuple(sorted(waiting)[:free])
    return Decision(start=start, stop=stop)


def done(spec: SweepSpec, trials: Sequence[Trial]) -> bool:
    """Whether nothing more is to come."""
    open_ = {State.RUNNING} if _given_up(spec, trials) else {State.RUNNING, State.WAITING}
    return not any(trial.state in open_ for trial in trials)


def value_of(spec: SweepSpec, trial: Trial) -> float | None:
    """The number that the trial is judged by; None before its first epoch."""
    if not trial.curve:
        return None
    if spec.objective.take is Take.LAST:
        return trial.curve[trial.reached]
    return _best(spec, trial, trial.reached)


def best_of(spec: SweepSpec, trials: Sequence[Trial]) -> Trial | None:
    """The best of those that have succeeded, the first of equals; None if none has."""
    judged = [
        (-_better(spec, value), trial.number, trial)
        for trial in trials
        if trial.state is State.SUCCEEDED and (value := value_of(spec, trial)) is not None
    ]
    return min(judged, key=lambda one: one[:2])[2] if judged else None


def _given_up(spec: SweepSpec, trials: Sequence[Trial]) -> bool:
    return sum(trial.state is State.FAILED for trial in trials) > spec.max_failed


def _better(spec: SweepSpec, value: float) -> float:
    """The same number turned so that more is better; nothing is worse than NaN."""
    if math.isnan(value):
        return -math.inf
    return value if spec.objective.goal is Goal.MAXIMIZE else -value


def _best(spec: SweepSpec, trial: Trial, epoch: int) -> float:
    """The best value until that epoch."""
    return max(
        (value for number, value in trial.curve.items() if number <= epoch),
        key=lambda value: _better(spec, value),
    )


def _losing(spec: SweepSpec, trial: Trial, trials: Sequence[Trial]) -> str:
    """Why the trial is not worth going on; empty if it is."""
    rule, epoch = spec.stopping.rule, trial.reached
    if rule is Rule.NONE or epoch < spec.stopping.after:
        return ""
    if rule is Rule.MEDIAN:
        return _below_median(spec, trial, _others(trial, trials, epoch))
    rung = _rung(spec.stopping, epoch)
    return _out_of_rung(spec, trial, _others(trial, trials, rung), rung)


def _others(trial: Trial, trials: Sequence[Trial], epoch: int) -> list[Trial]:
    """Those that have come as far, or have trained to their end in fewer epochs."""
    return [
        one
        for one in trials
        if one.number != trial.number
        and (one.reached >= epoch or (one.state is State.SUCCEEDED and one.curve))
    ]


def _below_median(spec: SweepSpec, trial: Trial, others: Sequence[Trial]) -> str:
    epoch = trial.reached
    if len(others) < _ENOUGH:
        return ""
    means = [_mean(spec, one, epoch) for one in others]
    own, median = _best(spec, trial, epoch), statistics.median_low(means)
    if _better(spec, own) >= median:
        return ""
    shown = median if spec.objective.goal is Goal.MAXIMIZE else -median
    return f"its best {_number(own)} of {epoch} epochs is worse than the median {_number(shown)}"


def _mean(spec: SweepSpec, trial: Trial, epoch: int) -> float:
    """Of what the trial had shown until that epoch, turned so that more is better."""
    until = [_better(spec, value) for number, value in trial.curve.items() if number <= epoch]
    return statistics.fmean(until) if until else -math.inf


def _rung(stopping: Stopping, epoch: int) -> int:
    """The last of `after`, `after * factor`, ... that was reached."""
    rung = stopping.after
    while rung * stopping.factor <= epoch:
        rung *= stopping.factor
    return rung


def _out_of_rung(spec: SweepSpec, trial: Trial, others: Sequence[Trial], rung: int) -> str:
    there = len(others) + 1
    if there < spec.stopping.factor or min(trial.curve) > rung:
        return ""
    stay = there // spec.stopping.factor
    own = _best(spec, trial, rung)
    scores = [_better(spec, _best(spec, one, rung)) for one in others if min(one.curve) <= rung]
    rank = sum(score > _better(spec, own) for score in scores)
    if rank < stay:
        return ""
    return (
        f"its best {_number(own)} of {rung} epochs is number {rank + 1} of {there} trials,"
        f" of which {stay} {'go' if stay > 1 else 'goes'} on"
    )


def _number(value: float) -> str:
    return f"{value:.4g}"
