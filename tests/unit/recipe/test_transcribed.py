"""Recordings with transcripts: read, numbered, or refused; the loss and the rate while training."""

import json
from itertools import groupby, product
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf

from kubefit.api.recipe import LabelKind, Recipe, resolve
from kubefit_trainer.evaluation import transcripts as judged
from kubefit_trainer.export import serving
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import transcripts
from kubefit_trainer.recipe import inputs
from kubefit_trainer.recipe.labelled import Inputs
from kubefit_trainer.recipe.speech.ctc import Ctc
from kubefit_trainer.recipe.speech.error_rate import CharacterErrorRate

RATE = 4000


def recipe(**speech: object) -> Recipe:
    given = {
        "train": {"manifest": "said.csv"},
        "sampleRate": RATE,
        "seconds": 1,
        "mels": 8,
        "network": {"filters": [4]},
        "transcription": {},
        **speech,
    }
    return resolve(Recipe.model_validate({"speech": given, "training": {"epochs": 1}}))


def opened(volume: Path, said: dict[str, str], seconds: float = 1.0, **speech: object) -> Inputs:
    write(volume, "said.csv", said, seconds)
    return inputs.open_inputs(recipe(**speech), volume)


def write(volume: Path, name: str, said: dict[str, str], seconds: float) -> None:
    for file in said:
        soundfile.write(volume / file, 0.3 * np.sin(np.arange(round(seconds * RATE))), RATE)
    rows = [json.dumps({"path": file, "transcript": text}) for file, text in said.items()]
    if name.endswith(".csv"):
        rows = ["path,transcript", *(f'{file},"{text}"' for file, text in said.items())]
    (volume / name).write_text("\n".join(rows), encoding="utf-8")


def test_characters_are_numbered_from_one_in_their_order_behind_the_blank(tmp_path: Path) -> None:
    source = opened(tmp_path, {"1.wav": "  Bad  e\u0301 ", "2.wav": "a"}).train.source
    assert source.classes == ["", " ", "a", "b", "d", "é"]
    assert source.labels.tolist() == [[3, 2, 4, 1, 5], [2, 0, 0, 0, 0]]
    assert source.truth(np.array([1, 0])).tolist() == ["a", "bad é"]


def test_capital_letters_stay_where_they_are_asked_for(tmp_path: Path) -> None:
    said = {"1.wav": "Bad", "2.wav": "a"}
    source = opened(tmp_path, said, transcription={"lowercase": False}).train.source
    assert source.classes == ["", "B", "a", "d"]


def test_lines_of_json_are_read_as_a_table_is(tmp_path: Path) -> None:
    write(tmp_path, "said.jsonl", {"1.wav": "ab", "2.wav": "c"}, 1.0)
    found = inputs.open_inputs(recipe(train={"manifest": "said.jsonl"}), tmp_path)
    assert found.train.source.labels.tolist() == [[1, 2], [3, 0]]


def test_characters_of_held_out_transcripts_alone_are_told_and_have_no_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "test.csv", {"3.wav": "aé", "4.wav": "ñéb"}, 1.0)
    said = {"1.wav": "ab", "2.wav": "b"}
    found = opened(tmp_path, said, test={"manifest": "test.csv"}).evaluation
    assert found is not None
    assert found.source.labels.tolist() == [[1], [2]]
    assert found.source.truth(found.samples).tolist() == ["aé", "ñéb"]
    told = capsys.readouterr().out
    assert (
        "spec.recipe.speech.test.manifest: 3 characters of 2 transcripts ('é', 'ñ') are in no"
        " training transcript" in told
    )


@pytest.mark.parametrize(
    ("text", "seconds", "why"),
    [
        ("", 1.0, "its transcript is empty"),
        ("aabb", 0.1, "4 characters needs 6 frames, and a recording of 0.10 s has 5"),
        ("a", 1.2, "it is longer than the 1 s that are heard"),
    ],
)
def test_what_cannot_be_learned_is_named_or_left_out(
    tmp_path: Path, text: str, seconds: float, why: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        opened(tmp_path, {"1.wav": text}, seconds)
    assert why in str(refused.value)
    assert str(tmp_path / "1.wav") in str(refused.value)
    soundfile.write(tmp_path / "2.wav", 0.3 * np.sin(np.arange(RATE)), RATE)
    with (tmp_path / "said.csv").open("a", encoding="utf-8") as file:
        file.write("\n2.wav,fine")
    kept = inputs.open_inputs(recipe(onUnreadable="skip"), tmp_path)
    assert kept.train.source.truth(np.arange(1)).tolist() == ["fine"]
    assert list(kept.skipped) == [str(tmp_path / "1.wav")]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("said.csv", "path,transcript\n", "lists no recordings"),
        ("said.csv", "path,transcript\n,a\n", "line 2 of it has no path"),
        ("said.csv", "path,transcript\n1.wav,one, two\n", "more cells than the 2 columns"),
        ("said.csv", "path,transcript\n1.wav,\xe9\n", "cannot be read"),
        ("said.jsonl", "{", "line 1 is not JSON"),
        ("said.jsonl", '["1.wav"]', "line 1 is not a JSON object"),
        ("said.jsonl", '{"path": "1.wav", "transcript": 3}', "no text for a transcript but 3"),
    ],
)
def test_lists_that_cannot_be_used_are_refused(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    (tmp_path / name).write_text(content, encoding="latin-1")
    given = recipe(train={"manifest": name}).speech
    assert given is not None
    with pytest.raises(ConfigurationError) as refused:
        transcripts.index(given.train, given, tmp_path, field="spec.x")
    assert words.replace(" of it", "") in str(refused.value)
    assert str(tmp_path / name) in str(refused.value)


def probability(logits: np.ndarray, text: str) -> float:
    """Of all paths that are written as the text, one by one."""
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    classes = ["", "a", "b"]
    paths = product(range(3), repeat=len(logits))
    written = [path for path in paths if judged.best_path(path, classes) == text]
    return sum(float(np.prod(shares[np.arange(len(logits)), path])) for path in written)


@pytest.mark.parametrize("text", ["", "a", "ab", "aa", "bab"])
def test_the_loss_is_minus_the_logarithm_of_the_probability_of_all_paths(text: str) -> None:
    logits = np.random.default_rng(2).normal(size=(1, 5, 3)).astype(np.float32)
    numbers = np.zeros((1, 3), np.float32)
    numbers[0, : len(text)] = ["", "a", "b"].index("a") + np.array([one == "b" for one in text])
    loss = float(Ctc()(numbers, logits))
    assert loss == pytest.approx(-np.log(probability(logits[0], text)), rel=1e-5)


def test_loss_and_gradients_are_those_of_keras_and_of_logarithms_too() -> None:
    drawn = np.random.default_rng(1)
    logits = tf.Variable(drawn.normal(size=(3, 9, 4)).astype(np.float32))
    numbers = np.array([[1, 2, 2], [3, 0, 0], [2, 1, 0]])
    found = []
    for loss, given in [
        (keras.losses.CTC(), lambda: logits),
        (Ctc(), lambda: logits),
        (Ctc(), lambda: tf.nn.log_softmax(logits)),
    ]:
        with tf.GradientTape() as tape:
            value = loss(numbers, given())
        found.append((value.numpy(), tape.gradient(value, logits).numpy()))
    for value, gradient in found[1:]:
        np.testing.assert_allclose(value, found[0][0], rtol=1e-5)
        np.testing.assert_allclose(gradient, found[0][1], rtol=1e-4, atol=1e-6)


def test_rate_and_written_texts_are_those_of_the_evaluation() -> None:
    drawn, classes = np.random.default_rng(0), ["", "a", "b", " "]
    outputs = drawn.normal(size=(7, 6, 4)).astype(np.float32)
    numbers = np.array(
        [list(drawn.integers(1, 4, n)) + [0] * (5 - n) for n in (1, 2, 3, 4, 5, 1, 2)]
    )
    said = ["".join(classes[number] for number in row) for row in numbers]
    heard = [judged.best_path(row, classes) for row in outputs.argmax(axis=2).tolist()]
    rate = CharacterErrorRate()
    for rows in (slice(0, 3), slice(3, 7)):
        rate.update_state(numbers[rows], outputs[rows])
    assert float(rate.result()) == pytest.approx(judged.error_rate(said, heard))
    answers = serving.answers(tf.constant(outputs), classes=classes, kind=LabelKind.TEXT)
    assert [text.decode() for text in answers["texts"].numpy()] == heard
    assert any(len(list(group)) > 1 for row in outputs.argmax(2) for _, group in groupby(row))
