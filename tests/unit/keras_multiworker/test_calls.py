"""Which two workers can never meet: decided from what each waits in, whenever they look."""

import dataclasses

import pytest

from kubefit_trainer.keras_multiworker.calls import (
    Call,
    End,
    contradiction,
    packed,
    unpacked,
)

TRAINS = Call(number=4, what="train_on_batch")
SAVES = Call(number=4, what="the saving of model.keras", counted=False)


def at(call: Call, **changes: object) -> Call:
    return dataclasses.replace(call, **changes)


def test_two_calls_under_one_number_are_named_alike_by_both_workers():
    fits = Call(number=4, what="fit")
    told = "worker 2 is at fit while worker 0 is at train_on_batch; call what all workers take part"
    assert contradiction(TRAINS, 0, fits, 2).startswith(told)
    assert contradiction(fits, 2, TRAINS, 0).startswith(told)


@pytest.mark.parametrize(
    "theirs",
    [
        None,
        TRAINS,
        at(TRAINS, detail="of another name"),
        at(TRAINS, number=3, what="fit"),
        at(TRAINS, number=5, what="fit"),
        End(number=5),
    ],
    ids=["unknown", "there", "other name", "behind", "already on", "came and ended"],
)
def test_a_worker_that_came_or_may_still_come_is_not_blamed(theirs):
    assert contradiction(TRAINS, 0, theirs, 1) == ""


def test_a_worker_that_ended_before_the_call_is_named():
    told = "worker 1 has ended without train_on_batch, which worker 0 waits in; call it on all"
    assert contradiction(TRAINS, 0, End(number=4), 1).startswith(told)


def test_waiting_for_a_word_of_a_worker_that_waits_in_a_call_of_all_is_a_contradiction():
    told = "worker 1 is at the saving of model.keras while worker 0 is at train_on_batch;"
    assert contradiction(SAVES, 1, TRAINS, 0).startswith(told)
    assert contradiction(TRAINS, 0, SAVES, 1).startswith(told)
    # The word may have been given before the end.
    assert contradiction(SAVES, 1, End(number=4), 0) == ""


@pytest.mark.parametrize("state", [TRAINS, SAVES, at(TRAINS, detail="kernel"), End(number=7)])
def test_what_a_worker_tells_arrives(state):
    arrived = unpacked(packed(state))
    if isinstance(state, End):
        assert arrived == state
    else:
        assert isinstance(arrived, Call)
        assert (arrived.number, arrived.text) == (state.number, state.text)
