"""The vocabulary of texts, and networks that take any text."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from kubefit.api.recipe import Recipe, TextRecipe, known_as, resolve
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.recipe import inputs, modality
from kubefit_trainer.recipe.order import Shard
from kubefit_trainer.recipe.text import network

TEXTS = ["b b a", "c, c! C", "a d", "b e"]


def recipe(**text: Any) -> Recipe:
    given = {
        "train": {"jsonl": "train.jsonl"},
        "vocabularySize": 8,
        "sequenceLength": 4,
        "embedding": 4,
        "network": {"gru": {"units": 3}},
        **text,
    }
    training = {"epochs": 1, "globalBatchSize": 2, "seed": 1}
    return resolve(Recipe.model_validate({"text": given, "training": training}))


def write(path: Path, texts: list[str]) -> None:
    rows = [{"text": text, "label": sample % 2} for sample, text in enumerate(texts)]
    path.write_text("\n".join(map(json.dumps, rows)))


def opened(folder: Path, texts: list[str], **text: Any) -> inputs.Inputs:
    write(folder / "train.jsonl", texts)
    return inputs.open_inputs(recipe(**text), folder)


def test_words_are_the_most_frequent_ones_in_one_order(tmp_path: Path) -> None:
    words = opened(tmp_path, TEXTS).train.source.words
    assert set(words[:2]) == {"b", "c"}
    assert words[2] == "a"
    assert set(words[3:]) == {"d", "e"}
    backwards = opened(tmp_path, TEXTS[::-1]).train.source.words
    assert backwards == words


def test_no_more_words_are_known_than_asked_for(tmp_path: Path) -> None:
    assert len(opened(tmp_path, TEXTS, vocabularySize=4).train.source.words) == 2


def test_words_of_held_out_texts_are_not_known(tmp_path: Path) -> None:
    texts = [f"both only{sample}" for sample in range(20)]
    found = opened(tmp_path, texts, validationSplit=0.25, testSplit=0.25, vocabularySize=100)
    trained_on = {f"only{sample}" for sample in found.train.samples.tolist()}
    assert set(found.train.source.words) == {"both"} | trained_on
    assert found.validation is not None
    assert found.validation.source is found.train.source


def test_other_sets_are_read_with_the_words_of_training(tmp_path: Path) -> None:
    write(tmp_path / "test.jsonl", ["z a", "a z"])
    found = opened(tmp_path, TEXTS, test={"jsonl": "test.jsonl"})
    assert found.evaluation is not None
    assert found.evaluation.source.words == found.train.source.words
    kind = modality.of(recipe())
    chosen = found.evaluation
    batches = kind.evaluation_batches(chosen.source, chosen.samples, shard=Shard(rank=0, workers=1))
    numbers, labels = next(iter(batches))
    a = 2 + found.train.source.words.index("a")
    assert numbers.numpy().tolist() == [[1, a, 0, 0], [a, 1, 0, 0]]
    assert labels.numpy().tolist() == [0, 1]


def test_shards_share_out_the_texts_of_each_batch_from_any_step_on(tmp_path: Path) -> None:
    found, kind = opened(tmp_path, [*TEXTS, "e d c"]).train, modality.of(recipe())

    def seen(shard: Shard, start: int, batches: int) -> list[list[list[int]]]:
        data = kind.training_batches(
            found.source, found.samples, shard=shard, weights=None, start=start
        )
        return [numbers.numpy().tolist() for numbers, _ in data.take(batches)]

    whole = seen(Shard(rank=0, workers=1), 0, 6)
    assert [len(batch) for batch in whole] == [2, 2, 1, 2, 2, 1]
    assert seen(Shard(rank=0, workers=1), 4, 2) == whole[4:]
    parts = [seen(Shard(rank=rank, workers=2), 0, 6) for rank in range(2)]
    for batch, one, other in zip(whole, *parts, strict=True):
        assert sorted(batch) == sorted(one + other)


@pytest.mark.parametrize("texts", [["good"] * 4, ["!?"] * 4])
def test_texts_that_say_nothing_are_refused(tmp_path: Path, texts: list[str]) -> None:
    with pytest.raises(ConfigurationError) as told:
        opened(tmp_path, texts)
    only = "only the word 'good'" if texts[0] == "good" else "no word"
    assert str(told.value) == (
        f"spec.recipe.text.train: the 4 training texts have {only}, which tells no class from"
        " another; see whether textColumn is the column of the texts"
    )


@pytest.mark.parametrize(
    "network",
    [
        {"lstm": {"units": 3, "layers": 2}},
        {"gru": {"units": 3, "bidirectional": False}},
        {"transformer": {"layers": 2}},
    ],
)
def test_a_model_with_its_words_takes_any_text_after_it_was_saved(
    tmp_path: Path, network: dict[str, Any]
) -> None:
    found = opened(tmp_path, TEXTS, network=network)
    kind = modality.of(recipe(network=network))
    model = kind.build(tf.distribute.get_strategy(), volume=tmp_path, classes=2)
    whole = kind.for_export(model, found.train.source)
    texts = tf.constant(["a b", "A, B!", "", "unknown words", "a " * 50])
    expected = np.asarray(whole(texts, training=False))
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(expected.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(expected[0], expected[1])
    whole.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(np.asarray(loaded(texts, training=False)), expected, rtol=1e-5)


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_recurrent_layers_never_use_cudnn(kind: str, bidirectional: bool) -> None:
    asked = recipe(network={kind: {"layers": 2, "bidirectional": bidirectional}})
    model = network.build(known_as(TextRecipe, asked), classes=2)
    found = [layer.use_cudnn for layer in model._flatten_layers() if hasattr(layer, "use_cudnn")]
    assert found
    assert set(found) == {False}
