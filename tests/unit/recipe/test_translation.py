"""Texts with targets as numbers: the vocabularies, what is to follow, what counts."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from keras import tree

from kubefit.api.recipe import Precision, Recipe, Tokens, resolve
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight.pairs import tokens_of
from kubefit_trainer.recipe import batch_size, digest, inputs, modality
from kubefit_trainer.recipe.order import Shard
from kubefit_trainer.recipe.pairs import vocabulary

PAIRS = [("b b a", "x"), ("a c.", "x y"), ("A b", "z  x")]
START, END = vocabulary.START, vocabulary.END


def opened(folder: Path, pairs: list[tuple[str, str]], **text: Any) -> tuple[Recipe, inputs.Inputs]:
    rows = [{"text": source, "target": target} for source, target in pairs]
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    given = {
        "train": {"jsonl": "train.jsonl", "targetColumn": "target"},
        "sequenceLength": 4,
        "targetLength": 3,
        "embedding": 4,
        "network": {"encoderDecoder": {"heads": 2}},
        **text,
    }
    training = {"epochs": 1, "globalBatchSize": 8, "seed": 1}
    recipe = resolve(Recipe.model_validate({"text": given, "training": training}))
    return recipe, inputs.open_inputs(recipe, folder)


def batch(recipe: Recipe, chosen: inputs.Chosen, samples: list[int]) -> Any:
    dataset = modality.of(recipe).evaluation_batches(
        chosen.source, np.array(samples), shard=Shard(rank=0, workers=1)
    )
    return next(iter(dataset.as_numpy_iterator()))


def test_words_keep_letters_and_punctuation_and_each_side_has_its_own(tmp_path: Path) -> None:
    source = opened(tmp_path, PAIRS)[1].train.source
    assert source.tokens[0] == "b"
    assert set(source.tokens) == {"a", "b", "A", "c."}
    assert source.classes[:4] == ["", "[UNK]", *vocabulary.MARKS]
    assert source.classes[4] == "x"
    assert set(source.classes[5:]) == {"y", "z"}
    again = opened(tmp_path, PAIRS[::-1])[1].train.source
    assert (again.tokens, again.classes) == (source.tokens, source.classes)


def test_characters_are_tokens_and_white_space_is_one(tmp_path: Path) -> None:
    source = opened(tmp_path, [("ä b", "xy"), ("b", "y")], tokens="characters")[1].train.source
    assert set(source.tokens) == {"ä", "b", " "}
    assert source.classes[4:] == ["y", "x"]


def test_what_follows_is_the_next_token_then_the_end_and_padding_weighs_nothing(
    tmp_path: Path,
) -> None:
    recipe, found = opened(tmp_path, PAIRS)
    number = {name: place for place, name in enumerate(found.train.source.classes)}
    x, z = number["x"], number["z"]
    (texts, begun), following, weights = batch(recipe, found.train, [0, 2])
    assert texts.shape == (2, 4)
    assert begun.tolist() == [[START, x, 0, 0], [START, z, x, 0]]
    assert following.tolist() == [[x, END, 0, 0], [z, x, END, 0]]
    assert weights.tolist() == [[1, 1, 0, 0], [1, 1, 1, 0]]


def test_a_target_of_the_largest_length_has_its_end(tmp_path: Path) -> None:
    recipe, found = opened(tmp_path, [*PAIRS, ("a", "x y z")])
    _, following, weights = batch(recipe, found.train, [3])
    assert following[0, -1] == END
    assert weights.sum() == 4


def test_a_batch_of_a_worker_may_be_empty(tmp_path: Path) -> None:
    recipe, found = opened(tmp_path, PAIRS)
    dataset = modality.of(recipe).evaluation_batches(
        found.train.source, np.array([0]), shard=Shard(rank=1, workers=2)
    )
    (texts, begun), following, weights = next(iter(dataset.as_numpy_iterator()))
    assert [one.shape for one in (texts, begun, following, weights)] == [
        (0, 4),
        (0, 4),
        (0, 4),
        (0, 4),
    ]


def test_the_marks_are_no_tokens_that_a_text_could_have(tmp_path: Path) -> None:
    pairs = [(mark, mark) for mark in vocabulary.MARKS]
    source = opened(tmp_path, pairs, sequenceLength=9, targetLength=9)[1].train.source
    assert not set(vocabulary.MARKS) & set(source.classes[4:])


def test_written_numbers_become_a_text_up_to_the_end() -> None:
    names = vocabulary.outputs(["x", "y"])
    numbers = np.array([4, 5, END, 0])
    assert vocabulary.written(numbers, names, Tokens.WORDS) == "x y"
    assert vocabulary.written(numbers, names, Tokens.CHARACTERS) == "xy"
    assert vocabulary.written(np.array([END, 4]), names, Tokens.WORDS) == ""


def test_other_white_space_than_that_of_ascii_is_part_of_a_word(tmp_path: Path) -> None:
    target = "10\u00a0km weit"
    source = opened(tmp_path, [("a b", target), ("b", target)])[1].train.source
    assert sorted(source.classes[4:]) == sorted(tokens_of(target, Tokens.WORDS))


def test_workers_share_out_each_batch_and_a_resumed_one_goes_on_with_the_next(
    tmp_path: Path,
) -> None:
    pairs = [("".join(text), "".join(text[::-1])) for text in product("ab", repeat=3)] * 3
    recipe, found = opened(tmp_path, pairs, tokens="characters")

    def batches(worker: int, workers: int, start: int, count: int) -> list[Any]:
        dataset = modality.of(recipe).training_batches(
            found.train.source,
            found.train.samples,
            shard=Shard(rank=worker, workers=workers),
            weights=None,
            start=start,
        )
        return list(dataset.take(count).as_numpy_iterator())

    whole = batches(0, 1, 0, 5)
    for worker in range(3):
        for one, mine in zip(whole[2:], batches(worker, 3, 2, 3), strict=True):
            for part, own in zip(tree.flatten(one), tree.flatten(mine), strict=True):
                np.testing.assert_array_equal(part[worker::3], own)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_any_text_is_answered_by_the_exported_model(tmp_path: Path, precision: str) -> None:
    recipe, found = opened(tmp_path, PAIRS, decoding={"beams": 3})
    training = recipe.training.model_copy(update={"precision": Precision(precision)})
    kind = modality.of(recipe.model_copy(update={"training": training}))
    source = found.train.source
    model = kind.build(tf.distribute.get_strategy(), volume=tmp_path, classes=len(source.classes))
    exported = kind.for_export(model, source)
    texts = tf.constant(["b a", "", "not known, and longer than is read"])
    outputs = np.asarray(exported([texts, tf.constant(["", "x", "x y z x y z"])]))
    assert outputs.shape == (3, 4, len(source.classes))
    np.testing.assert_allclose(outputs.sum(axis=2), 1.0, rtol=1e-2)
    answers = kind.answers(exported, source)(texts).numpy()
    assert {token for text in answers for token in text.decode().split()} <= {"x", "y", "z"}


def test_what_is_written_greedily_is_the_likeliest_of_the_whole_model_at_each_place(
    tmp_path: Path,
) -> None:
    recipe, found = opened(tmp_path, PAIRS)
    kind, source = modality.of(recipe), found.train.source
    model = kind.build(tf.distribute.get_strategy(), volume=tmp_path, classes=len(source.classes))
    texts = tf.constant([[4, 5, 4, 0], [5, 0, 0, 0]], tf.int32)
    begun = np.array([[START, 0, 0, 0]] * 2, np.int32)
    expected = np.zeros((2, 4), np.int32)
    for row in range(2):
        for place in range(4):
            outputs = np.asarray(model([texts, tf.constant(begun)]))[row, place]
            expected[row, place] = END + outputs[END:].argmax()
            if expected[row, place] == END:
                break
            begun[row, place + 1 : place + 2] = expected[row, place]
    assert kind.answering(model)([texts]).numpy().tolist() == expected.tolist()


def test_the_memory_of_a_batch_of_pairs_is_tried_out(tmp_path: Path) -> None:
    recipe, found = opened(tmp_path, PAIRS)
    model = modality.of(recipe).build(
        tf.distribute.get_strategy(), volume=tmp_path, classes=len(found.train.source.classes)
    )
    assert batch_size.Memory(model).fits(4)


def test_the_digest_tells_other_targets_of_the_same_texts(tmp_path: Path) -> None:
    recipe, one = opened(tmp_path, PAIRS)
    before = digest.of(one.train, recipe.text.train, tmp_path)
    _, again = opened(tmp_path, PAIRS)
    assert digest.of(again.train, recipe.text.train, tmp_path) == before
    targets = [PAIRS[1][1], PAIRS[0][1], PAIRS[2][1]]
    swapped = [(text, target) for (text, _), target in zip(PAIRS, targets, strict=True)]
    _, other = opened(tmp_path, swapped)
    assert digest.of(other.train, recipe.text.train, tmp_path) != before


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([("same same", "x y"), ("same", "y")], "only 'same' in the column textColumn"),
        ([("a b", "x"), ("b", "x x")], "only 'x' in the column targetColumn"),
    ],
)
def test_a_vocabulary_of_one_token_is_refused(
    tmp_path: Path, pairs: list[tuple[str, str]], words: str
) -> None:
    with pytest.raises(ConfigurationError) as told:
        opened(tmp_path, pairs)
    assert words in str(told.value)
