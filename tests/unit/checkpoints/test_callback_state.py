"""What callbacks remember comes back with its values and its types."""

import json
from collections import defaultdict
from typing import Any

import numpy as np

from kubefit.api.recipe import EarlyStopping
from kubefit_trainer.checkpoints import callback_state
from kubefit_trainer.checkpoints.callback_state import Settings
from kubefit_trainer.recipe.watching import StopEarly


class Remembers:
    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


def restored(before: Remembers, after: Remembers) -> Remembers:
    arrays: callback_state.Arrays = {}
    state = json.loads(json.dumps(callback_state.of(before, "callback/0", arrays, Settings())))
    assert callback_state.restore(after, state, arrays)
    return after


def test_numbers_of_numpy_keep_their_precision() -> None:
    after = restored(Remembers(best=np.float32(0.1)), Remembers(best=None))
    assert after.best == np.float32(0.1)
    assert type(after.best) is np.float32


def test_dictionaries_keep_keys_that_are_no_texts() -> None:
    after = restored(Remembers(by_epoch={1: 0.5, 2: [0.25]}), Remembers(by_epoch={}))
    assert after.by_epoch == {1: 0.5, 2: [0.25]}


def test_dictionaries_with_a_default_keep_it() -> None:
    after = restored(Remembers(seen=defaultdict(list, a=[1])), Remembers(seen=defaultdict(list)))
    after.seen["b"].append(2)
    assert after.seen == {"a": [1], "b": [2]}


def test_what_json_cannot_hold_is_left_to_the_callback() -> None:
    began = np.datetime64("2026-01-01")
    before = Remembers(began=began, ratio=np.longdouble(1), label=np.bytes_(b"x"), epochs=3)
    after = restored(before, Remembers(began=None, epochs=0))
    assert after.began is None
    assert after.epochs == 3


def test_another_callback_at_its_place_is_left_alone() -> None:
    class Other(Remembers):
        pass

    state = callback_state.of(Remembers(wait=3), "callback/0", {}, Settings())
    other = Other(wait=0)
    assert not callback_state.restore(other, state, {})
    assert other.wait == 0


class Stops:
    """With settings and state, as `EarlyStopping` is."""

    def __init__(self, *, patience: int, monitor: str = "val_loss") -> None:
        self.patience, self.monitor = patience, monitor
        self.wait, self.weights = 0, np.zeros(2)


def trained(stops: Stops, settings: Settings) -> Stops:
    settings.see(stops)
    stops.wait, stops.weights = 2, np.ones(2)
    return stops


def kept(callback: Any, settings: Settings) -> tuple[dict[str, Any], callback_state.Arrays]:
    arrays: callback_state.Arrays = {}
    state = callback_state.of(callback, "callback/1", arrays, settings)
    return json.loads(json.dumps(state)), arrays


def test_settings_that_were_changed_meanwhile_stay_and_state_comes_back() -> None:
    settings = Settings()
    state = kept(trained(Stops(patience=3), settings), settings)
    after = Stops(patience=9)
    assert callback_state.restore(after, *state)
    assert (after.patience, after.wait) == (9, 2)
    np.testing.assert_array_equal(after.weights, [1, 1])


def test_what_was_restored_is_state_at_the_next_interruption_too() -> None:
    settings, later = Settings(), Settings()
    first = kept(trained(Stops(patience=3), settings), settings)
    between, after = Stops(patience=3), Stops(patience=3)
    later.see(between)
    callback_state.restore(between, *first)
    later.see(between)
    callback_state.restore(after, *kept(between, later))
    assert after.wait == 2


def test_a_setting_that_training_changes_is_state() -> None:
    settings = Settings()
    before, after = Stops(patience=3), Stops(patience=5)
    settings.see(before)
    before.patience = 2
    callback_state.restore(after, *kept(before, settings))
    assert after.patience == 2


def test_what_was_best_of_another_value_is_forgotten() -> None:
    settings = Settings()
    state = kept(trained(Stops(patience=3), settings), settings)
    after = Stops(patience=3, monitor="val_accuracy")
    assert not callback_state.restore(after, *state)
    assert after.wait == 0


def test_settings_of_what_a_callback_of_a_recipe_counts_with_stay() -> None:
    def stops(min_delta: float) -> StopEarly:
        return StopEarly(EarlyStopping(patience=2, min_delta=min_delta))

    settings, before, after = Settings(), stops(0.0), stops(0.5)
    settings.see(before)
    before._improvement.better(1.0)
    before._improvement.better(1.0)
    assert callback_state.restore(after, *kept(before, settings))
    assert after._improvement.waited == 1
    assert not after._improvement.better(0.6)
    assert after._improvement.better(0.4)
