"""The textbook's convolutional network, as a recipe and as a program that nobody changed."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from sklearn.datasets import load_digits

from kubefit.api.names import Phase
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.local import LocalResult, run_local

pytestmark = pytest.mark.train

EXAMPLE = Path(__file__).parents[3] / "examples" / "04-cats-and-dogs"
SIZE, EPOCHS, STEPS, VALIDATION_STEPS = 48, 6, 14, 5


@pytest.fixture(scope="module")
def volume(tmp_path_factory) -> Path:
    """Handwritten zeros and ones in the place of cats and dogs, a quarter for validation."""
    volume = tmp_path_factory.mktemp("volume")
    digits = load_digits(n_class=2)
    for i, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        part = "validation" if i % 4 == 0 else "train"
        folder = volume / "cats-and-dogs" / part / ("cats", "dogs")[label]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.round(image * (255 / 16)).astype(np.uint8)
        Image.fromarray(pixels).resize((32, 32)).save(folder / f"{i}.png")
    shutil.copy(EXAMPLE / "train.py", volume)
    return volume


def example(name: str) -> dict[str, Any]:
    return yaml.safe_load((EXAMPLE / name).read_text())


def trained(volume: Path, job: dict[str, Any]) -> LocalResult:
    result = run_local(
        TrainingJob.model_validate(job),
        volume_dir=volume,
        runs_dir=volume / "runs",
        on_status=lambda statuses: None,
        on_line=lambda rank, line: None,
    )
    assert result.phase is Phase.SUCCEEDED, result.failure
    return result


def test_recipe_and_unchanged_program_are_equally_good_on_two_workers(volume: Path) -> None:
    job = example("job.yaml")
    recipe = job["spec"]["recipe"]
    recipe["data"]["imageSize"] = [SIZE, SIZE]
    recipe["training"] |= {
        "epochs": EPOCHS,
        "stepsPerEpoch": STEPS,
        "validationSteps": VALIDATION_STEPS,
    }
    script = example("script.yaml")
    figures = {"size": SIZE, "epochs": EPOCHS, "steps": STEPS, "validation-steps": VALIDATION_STEPS}
    script["spec"]["script"]["args"] = [f"--data={volume / 'cats-and-dogs'}"] + [
        f"--{name}={value}" for name, value in figures.items()
    ]
    assert job["spec"]["workers"] == script["spec"]["workers"] == 2
    first, second = (trained(volume, one).metrics for one in (job, script))
    assert first["val_accuracy"] > 0.9
    assert first["val_accuracy"] == pytest.approx(second["val_accuracy"], abs=0.05)


def test_the_recipe_is_short_and_says_what_the_program_does(volume: Path) -> None:
    text = (EXAMPLE / "job.yaml").read_text()
    assert len(text.splitlines()) <= 25
    training = example("job.yaml")["spec"]["recipe"]["training"]
    program = (EXAMPLE / "train.py").read_text()
    assert f'"--epochs", type=int, default={training["epochs"]})' in program
    assert f'"--steps", type=int, default={training["stepsPerEpoch"]},' in program
    assert f'"--validation-steps", type=int, default={training["validationSteps"]})' in program
    assert f'"batch_size": {training["globalBatchSize"]},' in program
