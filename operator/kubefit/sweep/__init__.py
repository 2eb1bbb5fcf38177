"""Sweeps: one TrainingJob with many values of some of its fields.

The file that describes one, the jobs that it makes, and which of them to start and to stop. Pure.
"""

from kubefit.sweep.decide import Decision, State, Trial, decide, done
from kubefit.sweep.definition import Sweep
from kubefit.sweep.results import SweepResult, TrialResult, result_of
from kubefit.sweep.trials import child, faults_of, name_of, values_of

__all__ = [
    "Decision",
    "State",
    "Sweep",
    "SweepResult",
    "Trial",
    "TrialResult",
    "child",
    "decide",
    "done",
    "faults_of",
    "name_of",
    "result_of",
    "values_of",
]
