"""What callbacks remember comes back with its values and its types."""

import json
from collections import defaultdict
from typing import Any

import numpy as np

from kubefit_trainer.checkpoints import callback_state


class Remembers:
    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


def restored(before: Remembers, after: Remembers) -> Remembers:
    arrays: callback_state.Arrays = {}
    state = json.loads(json.dumps(callback_state.of(before, "callback/0", arrays)))
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

    state = callback_state.of(Remembers(wait=3), "callback/0", {})
    other = Other(wait=0)
    assert not callback_state.restore(other, state, {})
    assert other.wait == 0
