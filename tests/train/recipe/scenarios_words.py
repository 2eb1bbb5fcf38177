"""Recipes of texts and recordings that a group of workers trains."""

import json

import numpy as np
import soundfile

from kubefit.api.recipe import LabelKind, Recipe, resolve
from kubefit_trainer import keras_multiworker
from kubefit_trainer.recipe import inputs, job, modality, predictions

SAMPLES, RATE = 37, 8000
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def scenario_text(directory):
    return trained(text({"lstm": {"units": 4, "bidirectional": False}}), directory)


def scenario_speech(directory):
    speech = {
        "train": {"folder": "spoken"},
        "testSplit": 0.2,
        "sampleRate": 4000,
        "seconds": 0.2,
        "mels": 8,
        "specAugment": {"timeMasks": 2},
        "network": {"filters": [4, 4], "dropout": 0},
    }
    return trained({"speech": speech, "training": training()}, directory)


def scenario_transcripts(directory):
    speech = {
        "train": {"manifest": "said.csv"},
        "testSplit": 0.2,
        "sampleRate": 4000,
        "seconds": 0.8,
        "mels": 8,
        "specAugment": {"timeMasks": 2},
        "network": {"filters": [4, 4], "dropout": 0},
        "transcription": {"units": 4},
    }
    return trained({"speech": speech, "training": training()}, directory)


def text(network):
    given = {
        "train": {"jsonl": "texts.jsonl"},
        "testSplit": 0.2,
        "classWeights": "balanced",
        "vocabularySize": 8,
        "sequenceLength": 6,
        "embedding": 4,
        "dropout": 0,
        "network": network,
    }
    return {"text": given, "training": training()}


def training():
    return {"epochs": 2, "globalBatchSize": 8, "seed": 3, "learningRate": 0.01}


def trained(whole, directory):
    parsed = resolve(Recipe.model_validate(whole))
    volume = directory / f"volume-{keras_multiworker.rank()}"
    write(volume)
    strategy = keras_multiworker.strategy()
    data = inputs.open_inputs(parsed, volume)
    classes = len(data.train.source.classes)
    model = job.build(parsed, strategy, volume=volume, classes=classes)
    history = job.fit(model, parsed, data, strategy=strategy, callbacks=[])
    found = predictions.predicted(model, parsed, data.evaluation, strategy=strategy)
    kind, chosen = modality.of(parsed), data.evaluation
    by_hand = {}
    if found is not None:
        with keras_multiworker.outside_strategy():
            exported = kind.for_export(model, chosen.source)
            answers = np.asarray(exported(kind.raw(chosen.source, chosen.samples)))
            if parsed.samples.labels is LabelKind.TEXT:
                answers = answers.argmax(axis=2)
        by_hand = dict(zip(chosen.samples.tolist(), answers, strict=True))
    return {
        "history": history,
        "evaluation": job.evaluate(model, parsed, chosen, strategy=strategy),
        "weights": model.get_weights(),
        "predictions": found and dict(zip(found.samples.tolist(), found.outputs, strict=True)),
        "by_hand": by_hand,
    }


def write(volume):
    """Texts with a word of their class among others; tones as high as their class."""
    drawn = np.random.default_rng(0)
    volume.mkdir(exist_ok=True)
    lines, said = [], ["path,transcript"]
    for sample in range(SAMPLES):
        label = sample % 3
        others = drawn.choice(WORDS[3:], 1 + sample % 5).tolist()
        lines.append(json.dumps({"text": " ".join([*others, WORDS[label]]), "label": label}))
        folder = volume / "spoken" / WORDS[label]
        folder.mkdir(parents=True, exist_ok=True)
        time = np.arange(RATE // 5) / RATE
        wave = 0.3 * np.sin(2 * np.pi * 300 * (1 + label) * time) + 0.05 * drawn.normal(
            size=len(time)
        )
        soundfile.write(folder / f"{sample}.flac", wave, RATE)
        said.append(f"spoken/{WORDS[label]}/{sample}.flac,{'abc'[label] * (1 + sample % 2)}")
    (volume / "said.csv").write_text("\n".join(said))
    (volume / "texts.jsonl").write_text("\n".join(lines))
