"""What a trainer has done is told, often enough and to the last step."""

import time
from pathlib import Path

from kubefit.api.contract import TrainerPhase, TrainerReport
from kubefit_trainer import report
from kubefit_trainer.callbacks.reporter import Reporter, Waited


def told(file: Path) -> TrainerReport:
    found = report.read(file, TrainerReport)
    assert found is not None
    return found


def test_the_last_step_before_a_hang_is_told_though_nothing_follows(tmp_path: Path) -> None:
    file = tmp_path / "progress.json"
    reporter = Reporter(file)
    reporter.phase(TrainerPhase.TRAINING)
    # Too soon after the phase to be told at once.
    assert not reporter.step(step=7, examples=56, seconds=0.01)
    assert told(file).step == 0
    deadline = time.monotonic() + 60
    while told(file).step != 7 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert told(file).step == 7
    assert sum(told(file).step_seconds.counts) == 1


def test_what_follows_the_last_step_that_is_done_again_is_new(tmp_path: Path, monkeypatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    reporter = Reporter(None, reached=2)
    waited = Waited(data=1.0, slowest_data=2.0, exchange=None)
    reporter.waited = lambda: waited
    for step in (1, 2):
        reporter.step(step=step, examples=step, seconds=3.0)
        now += 10
    # A validation.
    reporter.update()
    now += 5
    with reporter.keeping():
        now += 7
    now += 1
    waited = Waited(data=2.5, slowest_data=2.5, exchange=None)
    reporter.step(step=3, examples=3, seconds=3.0)
    reporter.phase(TrainerPhase.TRAINING)
    spent, waits = reporter.report.spent, reporter.report.data_seconds
    assert spent is not None
    assert waits is not None
    assert (spent.lost_work, spent.productive) == (10, 15.5)
    assert (spent.checkpoint, spent.data) == (7, 0.5)
    assert waits.sum == 1.0 + 1.5


def test_no_time_is_counted_before_training_begins(monkeypatch) -> None:
    reporter = Reporter(None)
    reporter.phase(TrainerPhase.STARTING)
    with reporter.keeping():
        reporter.update()
    assert reporter.report.spent is None
    reporter.phase(TrainerPhase.EVALUATING)
    reporter.phase(TrainerPhase.EVALUATING)
    assert reporter.report.spent is not None
    assert reporter.report.spent.productive > 0
