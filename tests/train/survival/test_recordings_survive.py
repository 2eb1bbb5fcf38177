"""A job of recordings whose process is killed in an epoch ends as if nothing had happened."""

import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
from faults import TRAINER, Faults, at_step, epochs_of, hit, train, weights_of

from kubefit.client.local import LocalResult

pytestmark = pytest.mark.train

RATE, RECORDINGS, BATCH, EPOCHS = 4000, 37, 8, 8
RECIPE = {
    "speech": {
        "train": {"manifest": "said.csv"},
        "testSplit": 0.1,
        "sampleRate": RATE,
        "seconds": 0.8,
        "mels": 8,
        "specAugment": {"timeMasks": 2},
        "network": {"filters": [4, 4], "dropout": 0.2},
        "transcription": {"units": 4},
    },
    "training": {"epochs": EPOCHS, "globalBatchSize": BATCH, "seed": 3, "learningRate": 0.01},
    "export": {"formats": ["keras"]},
}
STEPS = -(-round(0.9 * RECORDINGS) // BATCH) * EPOCHS


@pytest.fixture(scope="module")
def spoken(tmp_path_factory) -> Path:
    """A volume with tones, and letters for how high they are."""
    volume, drawn = tmp_path_factory.mktemp("spoken"), np.random.default_rng(0)
    lines = ["path,transcript"]
    for number in range(RECORDINGS):
        time = np.arange(RATE // 2) / RATE
        wave = np.sin(2 * np.pi * 300 * (1 + number % 3) * time) + 0.1 * drawn.normal(
            size=len(time)
        )
        soundfile.write(volume / f"{number}.wav", 0.3 * wave, RATE)
        lines.append(f"{number}.wav,{'abc'[number % 3]}")
    (volume / "said.csv").write_text("\n".join(lines))
    return volume


@pytest.fixture(scope="module")
def undisturbed(spoken: Path) -> LocalResult:
    return train(spoken, "undisturbed", workers=1, other=RECIPE)


@pytest.fixture(scope="module")
def killed(spoken: Path) -> LocalResult:
    faults = Faults(
        [(at_step(STEPS // 2), hit(TRAINER, 0, signal.SIGKILL, job="killed"))],
    )
    result = train(spoken, "killed", faults, workers=1, other=RECIPE)
    assert not faults.planned
    return result


def test_it_goes_on_and_ends_with_the_same_weights(
    undisturbed: LocalResult, killed: LocalResult
) -> None:
    assert undisturbed.restarts == 0
    assert killed.restarts == 1
    assert weights_of(killed.job_dir) == weights_of(undisturbed.job_dir)


def test_every_epoch_has_the_same_numbers(undisturbed: LocalResult, killed: LocalResult) -> None:
    expected = epochs_of(undisturbed.job_dir)
    assert len(expected) == EPOCHS
    assert list(dict.fromkeys(epochs_of(killed.job_dir))) == expected
