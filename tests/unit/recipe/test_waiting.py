"""The share of time that training waits, also of one that another process has begun."""

import json

import pytest

from kubefit_trainer.checkpoints import callback_state
from kubefit_trainer.checkpoints.callback_state import Settings
from kubefit_trainer.keras_multiworker.waits import Waits
from kubefit_trainer.recipe import waiting
from kubefit_trainer.recipe.waiting import Waiting


class Process:
    """The clocks of one process, which begin anywhere."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, now: float) -> None:
        self.now, self.waits = now, Waits()
        monkeypatch.setattr(waiting.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(waiting.waits, "total", self.waits)

    def trains(self, callback: Waiting, *, steps: int) -> None:
        """Steps of one second, a quarter of it waiting for images."""
        for step in range(steps):
            self.now += 1.0
            self.waits.slowest_data += 0.25
            callback.on_train_batch_end(step)


def restored(before: Waiting, settings: Settings, after: Waiting) -> None:
    arrays: callback_state.Arrays = {}
    state = json.loads(json.dumps(callback_state.of(before, "callback/0", arrays, settings)))
    assert callback_state.restore(after, state, arrays)


def test_the_share_is_of_the_steps_after_the_first_of_each_epoch(monkeypatch) -> None:
    process, callback = Process(monkeypatch, now=5.0), Waiting()
    for epoch in range(2):
        callback.on_epoch_begin(epoch)
        process.now += 1000.0
        process.trains(callback, steps=11)
        process.now += 1000.0
        callback.on_epoch_end(epoch)
    assert callback.data == pytest.approx(0.25)


def test_training_goes_on_in_a_process_with_other_clocks(monkeypatch) -> None:
    before, after, settings = Waiting(), Waiting(), Settings()
    settings.see(before)
    first = Process(monkeypatch, now=1e6)
    before.on_epoch_begin(0)
    first.trains(before, steps=16)
    later = Process(monkeypatch, now=3.0)
    after.on_epoch_begin(0)
    restored(before, settings, after)
    later.trains(after, steps=16)
    assert after.data == pytest.approx(0.25)


def test_steps_without_a_time_have_no_share() -> None:
    callback = Waiting()
    callback._steps = 30
    assert callback.data is None
