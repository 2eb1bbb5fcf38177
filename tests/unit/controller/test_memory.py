"""Garbage is looked for in what is new, and now and then in all."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from kubefit.controller import memory
from kubefit.controller.memory import Calm


@pytest.fixture
def calm() -> Iterator[Calm]:
    """One that takes effect, until the test ends."""
    before, calm = gc.get_threshold(), Calm()
    calm.start()
    yield calm
    gc.callbacks.remove(calm.collecting)
    gc.unfreeze()
    gc.set_threshold(*before)


class Node:
    """An object that can be in a cycle."""

    def __init__(self) -> None:
        self.other = self


def test_what_has_been_gone_through_is_left_alone_until_all_is(calm, monkeypatch) -> None:
    monkeypatch.setattr(memory, "_ALL_EVERY", 3)
    node = Node()
    known = weakref.ref(node)
    gc.collect()
    assert gc.get_freeze_count() > 0
    del node
    gc.collect()
    assert known() is not None
    gc.collect()
    assert known() is None


def test_cycles_that_are_new_are_found_each_time(calm) -> None:
    gc.collect()
    known = weakref.ref(Node())
    gc.collect()
    assert known() is None
