"""The examples of texts and recordings learn from real ones, and export what takes raw samples."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf
import yaml

from kubefit.api.names import Phase
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.local import LocalResult, run_local
from kubefit_trainer.evaluation import transcripts

pytestmark = pytest.mark.train

EXAMPLES = Path(__file__).parents[3] / "examples"


def made(example: str, *arguments: Path | int) -> None:
    """Writes the data of an example."""
    command = [sys.executable, EXAMPLES / example / "make_data.py", *arguments]
    subprocess.run([str(part) for part in command], check=True)


def trained(example: str, volume: Path, **training: Any) -> LocalResult:
    job = yaml.safe_load((EXAMPLES / example / "job.yaml").read_text())
    job["spec"]["recipe"]["training"] |= training
    result = run_local(
        TrainingJob.model_validate(job),
        volume_dir=volume,
        runs_dir=volume / "runs",
        on_status=lambda statuses: None,
        on_line=lambda rank, line: None,
    )
    assert result.phase is Phase.SUCCEEDED, result.failure
    return result


def greedily(model: keras.Model, tokens: list[str], text: str) -> str:
    """What the exported model writes, as its card shows it."""
    written: list[str] = []
    while len(written) < model.output.shape[1]:
        outputs = model([tf.constant([text]), tf.constant(["".join(written)])])
        token = tokens[3 + int(outputs[0, len(written), 3:].numpy().argmax())]
        if token == "[end of target]":
            break
        written.append(token)
    return "".join(written)


def right(result: LocalResult, samples: Any, labels: list[str]) -> float:
    """Share of the samples that both exported models tell right, and alike."""
    export = Path(result.files.export)
    classes = json.loads((export / "labels.json").read_text())
    loaded = keras.models.load_model(export / "model.keras")
    answers = np.asarray(loaded(samples, training=False))
    server = tf.saved_model.load(str(export / "saved_model" / "1"))
    served = np.asarray(server.serve(samples))
    np.testing.assert_allclose(served, answers, rtol=1e-4, atol=1e-6)
    told = [classes[place] for place in answers.argmax(axis=1)]
    return float(np.mean([one == other for one, other in zip(told, labels, strict=True)]))


def test_sentences_of_reviews_are_told_apart(rated_sentences: Path, tmp_path: Path) -> None:
    made("05-reviews", rated_sentences, tmp_path / "reviews")
    result = trained("05-reviews", tmp_path, epochs=2)
    with (tmp_path / "reviews" / "test.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts, labels = [row["text"] for row in rows], [row["label"] for row in rows]
    chance = max(labels.count(label) for label in set(labels)) / len(labels)
    assert chance < 0.55
    accuracy = right(result, tf.constant(texts), labels)
    assert accuracy > 0.72
    assert result.evaluation["accuracy"] == pytest.approx(accuracy, abs=1e-3)
    assert "texts" in (Path(result.files.report) / "index.html").read_text()


def test_dates_are_rewritten(tmp_path: Path) -> None:
    made("07-dates", tmp_path / "dates", 4000)
    result = trained("07-dates", tmp_path, epochs=3)
    report = json.loads((Path(result.files.report) / "evaluation.json").read_text())
    assert report["images"] == 400
    # Always writing the most frequent date would be right once in 400.
    assert report["metrics"]["exactMatch"] > 0.5
    assert report["metrics"]["bleu"] > 0.8
    assert report["metrics"]["rougeL"] > 0.85
    assert report["written"][0]["target"] in (Path(result.files.report) / "index.html").read_text()
    exported = Path(result.files.export)
    served = tf.saved_model.load(str(exported / "saved_model" / "1")).signatures["serving_default"]
    dates = [one["text"] for one in report["written"]]
    (texts,) = served(text=tf.constant(dates)).values()
    assert [text.decode() for text in texts.numpy()] == [
        one["written"] for one in report["written"]
    ]
    model = keras.models.load_model(exported / "model.keras")
    tokens = json.loads((exported / "labels.json").read_text())
    assert greedily(model, tokens, dates[0]) == report["written"][0]["written"]


def heard(files: list[Path], length: int) -> np.ndarray:
    """Amplitudes (files, length) at 8 kHz, cut or followed by silence."""
    waves = np.zeros((len(files), length), np.float32)
    for wave, file in zip(waves, files, strict=True):
        amplitudes, rate = soundfile.read(file, frames=length, dtype="float32")
        assert rate == 8000
        wave[: len(amplitudes)] = amplitudes
    return waves


def test_spoken_languages_are_told_apart(announcements: list[Path], tmp_path: Path) -> None:
    made("06-languages", tmp_path / "languages", *announcements)
    result = trained("06-languages", tmp_path)
    files = sorted((tmp_path / "languages" / "test").rglob("*.wav"))
    waves = heard(files, 16000)
    labels = [file.parent.name for file in files]
    accuracy = right(result, tf.constant(waves), labels)
    assert max(labels.count(label) for label in set(labels)) / len(labels) < 0.4
    assert accuracy > 0.8
    assert result.evaluation["accuracy"] == pytest.approx(accuracy, abs=1e-3)


def transcripts_of(manifest: Path) -> tuple[list[Path], list[str]]:
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [manifest.parent / row["path"] for row in rows], [row["transcript"] for row in rows]


def test_spoken_dates_are_written_down(announcements: list[Path], tmp_path: Path) -> None:
    made("08-spoken-dates", tmp_path / "spoken-dates", announcements[0])
    result = trained("08-spoken-dates", tmp_path)
    files, said = transcripts_of(tmp_path / "spoken-dates" / "test.csv")
    _, learned = transcripts_of(tmp_path / "spoken-dates" / "train.csv")
    assert not set(said) & set(learned)
    server = tf.saved_model.load(str(Path(result.files.export) / "saved_model" / "1"))
    answer = server.signatures["serving_default"](wave=tf.constant(heard(files, 32000)))
    written = [text.decode() for text in answer["texts"].numpy()]

    found = transcripts.findings(said, written)["metrics"]
    always = min(transcripts.error_rate(said, [one] * len(said)) or 1 for one in set(learned))
    assert always > 0.5
    assert found["characterErrorRate"] < 0.25
    assert found["wordErrorRate"] < 0.75
    figures = json.loads((Path(result.files.report) / "evaluation.json").read_text())["metrics"]
    for name, value in found.items():
        assert figures[name] == pytest.approx(value, abs=0.01)
    assert result.evaluation["character_error_rate"] == pytest.approx(
        found["characterErrorRate"], abs=0.01
    )
    assert "character error rate" in (Path(result.files.report) / "index.html").read_text()
    assert "automatic-speech-recognition" in (Path(result.files.export) / "README.md").read_text()
