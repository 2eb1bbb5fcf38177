"""Models of texts and recordings are exported with what reads raw samples, and say so."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import yaml

from kubefit.api.recipe import ExportFormat, LabelKind, Recipe, resolve
from kubefit_trainer.evaluation import transcripts
from kubefit_trainer.evaluation.course import Course
from kubefit_trainer.export import card, saved
from kubefit_trainer.recipe import modality, network
from kubefit_trainer.recipe.speech.recordings import Recordings
from kubefit_trainer.recipe.text.corpus import Corpus

TRAINING = {"epochs": 1}
RECIPES = {
    "text": {"train": {"csv": "t.csv"}, "sequenceLength": 4, "network": {"gru": {"units": 2}}},
    "speech": {
        "train": {"folder": "spoken"},
        "sampleRate": 4000,
        "seconds": 0.2,
        "mels": 8,
        "network": {"filters": [2, 2]},
    },
}
CLASSES = ["no", "yes"]
LABELS = np.array([0, 1], np.int32)


def recipe_of(subject: str) -> Recipe:
    return resolve(Recipe.model_validate({subject: RECIPES[subject], "training": TRAINING}))


def source_of(subject: str, monkeypatch) -> Corpus | Recordings:
    if subject == "text":
        monkeypatch.setattr(Corpus, "text", lambda self, sample: ["not at all", "fine"][sample])
        found = object.__new__(Corpus)
        given = {"labels": LABELS, "classes": CLASSES, "words": ["fine", "not"]}
    else:
        wave = np.sin(np.arange(800, dtype=np.float32))
        monkeypatch.setattr(Recordings, "wave", lambda self, sample: wave * (sample + 1) / 2)
        found = object.__new__(Recordings)
        given = {"labels": LABELS, "classes": CLASSES, "sample_rate": 4000, "length": 800}
    for name, value in given.items():
        object.__setattr__(found, name, value)
    return found


@pytest.mark.parametrize("subject", ["text", "speech"])
def test_every_format_takes_raw_samples_and_the_card_has_programs_for_it(
    subject: str, tmp_path: Path, monkeypatch
) -> None:
    recipe, source = recipe_of(subject), source_of(subject, monkeypatch)
    kind = modality.of(recipe)
    model = kind.build(tf.distribute.get_strategy(), volume=tmp_path, classes=2)
    network.prepare(model, recipe, recipe.training.phases[0], steps_per_epoch=1)
    export, samples = kind.for_export(model, source), kind.raw(source, np.arange(2))
    wanted = saved.Wanted(
        formats=recipe.export.formats, classes=CLASSES, kind=LabelKind.SINGLE_LABEL
    )
    exported = saved.begin(export, tmp_path, wanted, samples=samples).finish()
    keras.models.load_model(tmp_path / "model.keras")
    assert [(one.format, one.problem) for one in exported] == [
        (ExportFormat.KERAS, ""),
        (ExportFormat.SAVED_MODEL, ""),
    ]

    signature = tf.saved_model.load(str(tmp_path / "saved_model/1")).signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]
    answer = signature(**{name: tf.constant(samples)})
    assert set(answer) == {"labels", "probabilities"}
    assert {label.decode() for label in answer["labels"].numpy()} <= set(CLASSES)

    course = Course(job="j", recipe=recipe, workers=1, logs={"loss": [1.0]}, exported=exported)
    origin = card.Origin(classes=CLASSES, trained_on=2, digest="ab", versions={})
    told = card.card(course, origin)
    front = yaml.safe_load(told.split("---\n", 2)[1])
    assert front["pipeline_tag"] == {"text": "text", "speech": "audio"}[subject] + "-classification"
    assert f"2 {recipe.kind}, SHA-256" in told
    programs = re.findall(r"```python\n(.*?)```", told, re.DOTALL)
    assert len(programs) == 2
    monkeypatch.chdir(tmp_path)
    for program in programs:
        names: dict[str, object] = {"keras": keras}
        exec(compile(program, "README.md", "exec"), names)
        assert np.asarray(names["outputs"]).shape == (2, 2)


@pytest.mark.parametrize("format_", ["litert", "onnx"])
def test_runtimes_that_know_no_words_are_refused_at_once(format_: str) -> None:
    given = {"text": RECIPES["text"], "training": TRAINING, "export": {"formats": [format_]}}
    with pytest.raises(ValueError, match="litert and onnx are for images"):
        Recipe.model_validate(given)


def test_what_writes_transcripts_is_served_as_texts_and_the_card_says_so(
    tmp_path: Path, monkeypatch
) -> None:
    said = {
        "train": {"manifest": "said.csv"},
        "transcription": {"units": 2, "reader": "convolution"},
    }
    given = {"speech": {**RECIPES["speech"], **said}, "training": TRAINING}
    given["speech"]["network"] = {"filters": [2]}
    recipe, source = resolve(Recipe.model_validate(given)), source_of("speech", monkeypatch)
    kind, classes = modality.of(recipe), ["", " ", "a"]
    model = kind.build(tf.distribute.get_strategy(), volume=tmp_path, classes=3)
    network.prepare(model, recipe, recipe.training.phases[0], steps_per_epoch=1)
    export, samples = kind.for_export(model, source), kind.raw(source, np.arange(2))
    wanted = saved.Wanted(formats=recipe.export.formats, classes=classes, kind=LabelKind.TEXT)
    exported = saved.begin(export, tmp_path, wanted, samples=samples).finish()
    assert [one.problem for one in exported] == ["", ""]

    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.output_shape == (None, recipe.speech.frames, 3)
    numbers = np.array([[1, 2], [2, 0]])
    assert np.isfinite(loaded.evaluate(samples, numbers, verbose=0))
    likeliest = loaded.predict(samples, verbose=0).argmax(axis=2)
    signature = tf.saved_model.load(str(tmp_path / "saved_model/1")).signatures["serving_default"]
    texts = signature(wave=tf.constant(samples))["texts"].numpy()
    assert [text.decode() for text in texts] == [
        transcripts.best_path(row, classes) for row in likeliest.tolist()
    ]

    course = Course(job="j", recipe=recipe, workers=1, logs={"loss": [1.0]}, exported=exported)
    origin = card.Origin(classes=classes, trained_on=2, digest="ab", versions={})
    told = card.card(course, origin)
    assert "writes a text for each recording, in 2 characters" in told
    assert "after the blank, which writes nothing: ` `, `a`." in told
    assert 'answer["texts"]' in told
