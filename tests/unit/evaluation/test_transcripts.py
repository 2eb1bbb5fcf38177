"""Error rates by hand and by their laws; the text that the likeliest classes write."""

import json
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubefit.api.recipe import LabelKind, Recipe, resolve
from kubefit_trainer.evaluation import advice, judging, page, transcripts
from kubefit_trainer.evaluation.course import Course
from kubefit_trainer.evaluation.findings import Evaluation

TEXTS = st.text("ab c", max_size=8)


@pytest.mark.parametrize(
    ("said", "heard", "changes"),
    [
        ("", "", 0),
        ("abc", "abc", 0),
        ("", "abc", 3),
        ("abc", "", 3),
        ("kitten", "sitting", 3),
        ("flaw", "lawn", 2),
        ("third", "first", 4),
        (["the", "cat", "sat"], ["the", "cat"], 1),
        (["the", "cat", "sat"], ["a", "cat", "has", "sat"], 2),
    ],
)
def test_the_fewest_changes_are_counted(said, heard, changes: int) -> None:
    assert transcripts.distance(said, heard) == changes


def test_rates_are_changes_for_each_character_and_word_of_all_transcripts_together() -> None:
    said, heard = ["the cat sat", "yes"], ["the cat", "yes no no"]
    found = transcripts.findings(said, heard)["metrics"]
    assert found["characterErrorRate"] == (4 + 6) / 14
    assert found["wordErrorRate"] == (1 + 2) / 4
    assert found["exactMatch"] == 0


def test_a_rate_may_exceed_one_and_is_unknown_where_nothing_is_said() -> None:
    assert transcripts.error_rate(["a"], ["bcd"]) == 3
    assert transcripts.error_rate([""], ["bcd"]) is None


@given(TEXTS, TEXTS, TEXTS)
def test_changes_are_a_distance(one: str, other: str, third: str) -> None:
    changes = transcripts.distance(one, other)
    assert (changes == 0) == (one == other)
    assert changes == transcripts.distance(other, one)
    assert abs(len(one) - len(other)) <= changes <= max(len(one), len(other))
    assert changes <= transcripts.distance(one, third) + transcripts.distance(third, other)


@given(st.text("abc", min_size=1, max_size=8), st.data())
def test_replaced_characters_count_once_each_either_way(text: str, data: st.DataObject) -> None:
    places = data.draw(st.sets(st.integers(0, len(text) - 1)))
    changed = "".join("x" if i in places else one for i, one in enumerate(text))
    assert transcripts.distance(text, changed) == len(places)
    assert transcripts.error_rate([text], [changed]) == len(places) / len(text)


CLASSES = ["", " ", "a", "b"]


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        ([], ""),
        ([0, 0, 0], ""),
        ([2, 2, 2], "a"),
        ([2, 0, 2], "aa"),
        ([0, 2, 2, 3, 0, 3, 3, 0], "abb"),
        ([2, 1, 1, 3], "a b"),
    ],
)
def test_equal_neighbours_are_one_character_and_blanks_none(frames: list[int], text: str) -> None:
    assert transcripts.best_path(frames, CLASSES) == text


def test_every_path_that_is_written_as_a_text_writes_it() -> None:
    """The paths of three frames that write `ab`, as counted by hand: a-b, aab, abb, -ab, ab-."""
    paths = product((0, 2, 3), repeat=3)
    written = [path for path in paths if transcripts.best_path(path, CLASSES) == "ab"]
    assert sorted(written) == [(0, 2, 3), (2, 0, 3), (2, 2, 3), (2, 3, 0), (2, 3, 3)]


def evaluation(said: list[str], frames: list[list[int]]) -> Evaluation:
    return judging.judged(
        np.array(said, object),
        np.float32(frames),
        kind=LabelKind.TEXT,
        classes=CLASSES,
        split="test",
        samples=range(4, 4 + len(said)),
        name=lambda sample: f"{sample}.wav",
        loss=1.5,
    )


def test_the_worst_transcripts_come_first_and_right_ones_not_at_all() -> None:
    found = evaluation(["ab", "a", "b é"], [[2, 3, 0, 0], [3, 0, 3, 0], [3, 1, 0, 0]])
    told = [(one.image, one.actual, one.predicted, one.error) for one in found.mistakes]
    assert told == [("5.wav", "a", "bb", 2.0), ("6.wav", "b é", "b ", pytest.approx(1 / 3))]
    assert found.metrics == {
        "loss": 1.5,
        "characterErrorRate": 3 / 6,
        "wordErrorRate": 2 / 4,
        "exactMatch": 1 / 3,
    }
    assert json.loads(found.model_dump_json(by_alias=True))["labels"] == "text"


def trained(found: Evaluation, **logs: list[float]) -> Course:
    given = {
        "speech": {"train": {"manifest": "said.csv"}, "testSplit": 0.1, "transcription": {}},
        "training": {"epochs": 4, "learningRate": 0.01},
    }
    recipe = resolve(Recipe.model_validate(given))
    return Course(job="dates", recipe=recipe, workers=1, logs=logs, evaluation=found)


def test_the_report_has_the_rates_and_a_table_of_the_worst_with_all_that_others_wrote_escaped() -> (
    None
):
    course = trained(evaluation(["<b>ab</b>", "a"], [[2, 3, 0], [2, 0, 0]]), loss=[2.0, 1.0])
    text = page.page(course, [], {})
    assert "a text a recording" in text
    assert "character error rate" in text
    assert "Worst transcripts" in text
    assert "&lt;b&gt;ab&lt;/b&gt;" in text
    assert "<b>ab" not in text


def test_advice_goes_by_the_share_of_characters_that_is_right() -> None:
    good = evaluation(["ab"], [[2, 3, 0]])
    falling = {"loss": [8.0, 4.0, 2.0, 1.0]}
    assert trained(good, **falling).quality == 1.0
    assert advice.advice(trained(good, **falling)) == []
    bad = trained(evaluation(["ab"], [[1, 0, 1]]), **falling)
    assert bad.quality == 0.0
    (found,) = advice.advice(bad)
    assert "was still falling" in found.seen
    risen = {"loss": [4.0, 2.0, 1.0, 0.5], "val_loss": [4.0, 2.0, 3.0, 4.0]}
    (found,) = advice.advice(trained(evaluation(["ab"], [[1, 0, 1]]), **risen))
    assert "on held-out recordings has risen from 2 to 4" in found.seen
    assert "`speech.specAugment: {}`" in found.do
