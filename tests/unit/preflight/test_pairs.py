"""Texts with targets: what is read, what is left out, and what people are told."""

import json
from pathlib import Path
from typing import Any

import pytest

from kubefit.api.recipe import Recipe, Text
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import pairs

FIELD = "spec.recipe.text.train.csv"


def text(**changes: Any) -> Text:
    given = {
        "train": {"csv": "a.csv", "targetColumn": "target"},
        "network": {"encoderDecoder": {}},
        **changes,
    }
    recipe = Recipe.model_validate({"text": given, "training": {"epochs": 1}})
    assert recipe.text is not None
    return recipe.text


def read(volume: Path, content: str, **changes: Any) -> pairs.Pairs:
    spec = text(**changes)
    (volume / spec.train.paths[0]).write_text(content, encoding="utf-8")
    return pairs.read(spec.train, spec, volume, field=FIELD)


def told(volume: Path, content: str, **changes: Any) -> str:
    with pytest.raises(ConfigurationError) as error:
        read(volume, content, **changes)
    return str(error.value)


def rows(found: pairs.Pairs) -> list[tuple[str, str]]:
    return [(found.texts[row], found.targets[row]) for row in range(len(found.texts))]


def test_pairs_are_read_in_the_order_of_lines(tmp_path: Path) -> None:
    found = read(tmp_path, 'target,text\n"eins, zwei","one, two"\ndrei,three\n')
    assert rows(found) == [("one, two", "eins, zwei"), ("three", "drei")]
    assert found.places[1] == "a.csv line 3"


def test_lines_of_json_give_the_same(tmp_path: Path) -> None:
    train = {"jsonl": "a.jsonl", "textColumn": "en", "targetColumn": "de"}
    content = "\n".join(json.dumps({"en": one, "de": one.upper()}) for one in ("a", "b c"))
    assert rows(read(tmp_path, content, train=train)) == [("a", "A"), ("b c", "B C")]


def test_a_missing_column_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    assert told(tmp_path, "text,label\na,b\n") == (
        f"{FIELD}: {tmp_path}/a.csv has no column 'target', only text, label; set textColumn and"
        " targetColumn to what they are called"
    )
    train = {"jsonl": "a.jsonl", "targetColumn": "target"}
    assert told(tmp_path, '{"text": "a", "de": "b"}', train=train) == (
        f"{FIELD}: {tmp_path}/a.jsonl: line 1 has no 'target', only text, de; set targetColumn to"
        " what it is called"
    )


def test_empty_texts_and_targets_are_told_or_left_out(tmp_path: Path) -> None:
    content = "text,target\na,b\n,b\na, \n"
    assert told(tmp_path, content) == (
        f"{FIELD}: pair a.csv line 3 cannot be read (it is empty), a.csv line 4 cannot be read"
        " (its target is empty); replace them or take them out"
    )
    found = read(tmp_path, content, onUnreadable="skip")
    assert rows(found) == [("a", "b")]
    assert list(found.left_out) == ["a.csv line 3", "a.csv line 4"]


def test_targets_that_are_too_long_are_counted_and_the_longest_named(tmp_path: Path) -> None:
    content = "text,target\na,b c\nd,e f g h\ni,j k l\n"
    assert told(tmp_path, content, targetLength=2) == (
        f"{FIELD}: 2 of 3 targets have more than the 2 words of targetLength, the longest 4"
        " (a.csv line 3); set spec.recipe.text.targetLength to 4, or onUnreadable to skip"
    )
    found = read(tmp_path, content, targetLength=2, onUnreadable="skip")
    assert found.left_out["a.csv line 4"] == "its target has 3 words, more than 2"


def test_characters_are_counted_with_white_space(tmp_path: Path) -> None:
    sentence = told(tmp_path, "text,target\na,b c d\n", tokens="characters", sequenceLength=4)
    assert "more than the 4 characters of sequenceLength, the longest 5" in sentence


def test_a_file_without_pairs_is_refused(tmp_path: Path) -> None:
    assert told(tmp_path, "text,target\n") == f"{FIELD}: there is no pair of texts to read"
