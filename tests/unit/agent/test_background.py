"""Work that may take long is asked for again until it is done, once a question."""

import threading

import pytest

from kubefit_trainer.agent.background import Answer, Background


def test_there_is_no_answer_until_the_work_is_done_and_it_is_done_once():
    go, calls = threading.Event(), []

    def work() -> str:
        calls.append("")
        go.wait()
        return "done"

    background: Background[str] = Background()
    assert background.answer(1, work) is None
    assert background.answer(1, work) is None
    go.set()
    while (answer := background.answer(1, work)) is None:
        pass
    assert answer == Answer("done")
    assert background.answer(1, work) == Answer("done")
    assert len(calls) == 1


def test_another_question_does_not_wait_for_the_last_one_and_never_gets_its_answer():
    go, ended = threading.Event(), threading.Event()

    def slow() -> str:
        go.wait()
        ended.set()
        return "old"

    background: Background[str] = Background()
    assert background.answer("old", slow) is None
    assert background.answer("new", lambda: "new") == Answer("new")
    go.set()
    ended.wait()
    assert background.answer("new", lambda: "again") == Answer("new")


def test_what_the_work_raises_comes_out_and_the_next_question_tries_again():
    background: Background[str] = Background()

    def fails() -> str:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        background.answer(1, fails)
    assert background.answer(1, lambda: "there") == Answer("there")
