"""A sweep on real processes of this machine: the loser is stopped while it trains."""

from pathlib import Path

import pytest
import two_trials

from kubefit import TrainingClient
from kubefit.sweep import State

pytestmark = [pytest.mark.train, pytest.mark.timeout(600)]

SWEEP = two_trials.sweep({"claim": "none"}, pause=0.05)


def test_a_loser_is_stopped_in_the_midst_and_the_result_is_found_again(tmp_path: Path):
    with TrainingClient("local", runs_dir=tmp_path) as client:
        result = client.sweep(SWEEP)
    bad, good = result.trials
    assert (bad.state, good.state) == (State.STOPPED, State.SUCCEEDED), result
    assert bad.note.endswith("is number 2 of 2 trials, of which 1 goes on")
    assert bad.epochs >= 2
    assert result.best == good
    assert (good.value, good.epochs) == (0.9, 2)
    attempts = sorted(path.name for path in tmp_path.glob("two-*/logs/*"))
    with TrainingClient("local", runs_dir=tmp_path) as client:
        assert client.sweep(SWEEP) == result
    assert sorted(path.name for path in tmp_path.glob("two-*/logs/*")) == attempts
