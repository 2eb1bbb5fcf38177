"""What a sweep came to: its trials in the order of how good they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kubefit.sweep.decide import State, Trial, best_of, value_of
from kubefit.sweep.definition import Sweep
from kubefit.sweep.draws import Values, all_values
from kubefit.sweep.trials import name_of


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """A trial, for people and programs."""

    number: int
    name: str
    """Of its job."""
    state: State
    values: Values
    """By the paths of the parameters."""
    value: float | None
    """The objective; None before its first epoch."""
    epochs: int
    """How many it has finished."""
    note: str
    """Why it was stopped, or has failed."""
    best: bool
    """Whether it is the best of those that have succeeded."""

    def document(self) -> dict[str, Any]:
        """The same as JSON has it."""
        number = self.value if self.value == self.value else None
        return {
            "trial": self.number,
            "name": self.name,
            "state": self.state.value,
            "values": self.values,
            "objective": number,
            "epochs": self.epochs,
            "note": self.note,
            "best": self.best,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """All trials, in the order of their numbers."""

    trials: list[TrialResult]

    @property
    def best(self) -> TrialResult | None:
        """The best trial; None if none has succeeded."""
        return next((trial for trial in self.trials if trial.best), None)


def result_of(sweep: Sweep, trials: Sequence[Trial]) -> SweepResult:
    """What these trials came to so far."""
    values, best = all_values(sweep.spec), best_of(sweep.spec, trials)
    return SweepResult(
        trials=[
            TrialResult(
                number=trial.number,
                name=name_of(sweep, trial.number),
                state=trial.state,
                values=values[trial.number],
                value=value_of(sweep.spec, trial),
                epochs=trial.reached,
                note=trial.note,
                best=best is not None and best.number == trial.number,
            )
            for trial in trials
        ]
    )
