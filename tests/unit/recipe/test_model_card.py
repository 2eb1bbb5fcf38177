"""The card beside a model: what hubs read, what people need, and programs that run."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from kubefit.api.recipe import ExportFormat, Images, LabelKind, Recipe, resolve
from kubefit_trainer.evaluation import judging
from kubefit_trainer.evaluation.course import Course
from kubefit_trainer.export import card, saved
from kubefit_trainer.export.formats import FILES, Exported
from kubefit_trainer.images.decode import Picture
from kubefit_trainer.recipe import digest, network
from kubefit_trainer.recipe.inputs import Chosen
from kubefit_trainer.recipe.sources import Source

MANUAL = Path(__file__).parents[3] / "docs" / "how-to" / "export-and-serve.md"
CLASSES = ["cat", "| `dog`\n## no heading"]
RECIPE = resolve(
    Recipe.model_validate(
        {
            "data": {"train": {"folder": "pets"}, "imageSize": [16, 16], "channels": 1},
            "model": {"blocks": [{"conv": 2}, {"flatten": True}]},
            "training": {"epochs": 1},
        }
    )
)


def course(**changes: object) -> Course:
    evaluation = judging.judged(
        np.array([0, 1, 1, 0]),
        np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]]),
        kind=LabelKind.SINGLE_LABEL,
        classes=CLASSES,
        split="test",
        samples=range(4),
        name=str,
        loss=0.5,
    )
    formats = [Exported(format=f, path=str(FILES[f]), size=9, difference=0.0) for f in ExportFormat]
    given = {
        "job": "pets",
        "recipe": RECIPE,
        "workers": 2,
        "logs": {"loss": [0.5]},
        "evaluation": evaluation,
        "exported": formats,
    }
    return Course(**{**given, **changes})


def written(found: Course) -> str:
    versions = {"keras": "3.15.1", "tensorflow": "2.21.0", "kubefit": "0.1.0"}
    origin = card.Origin(classes=CLASSES, trained_on=60, digest="ab" * 32, versions=versions)
    return card.card(found, origin)


def front(text: str) -> dict:
    _, matter, _ = text.split("---\n", 2)
    return yaml.safe_load(matter)


def test_hubs_read_what_it_is_and_how_good() -> None:
    found = front(written(course()))
    assert found["library_name"] == "keras"
    assert found["pipeline_tag"] == "image-classification"
    assert found["tags"] == ["kubefit", "keras", "tf-saved-model", "tflite", "onnx"]
    (result,) = found["model-index"][0]["results"]
    metrics = {one["type"]: one["value"] for one in result["metrics"]}
    assert metrics["accuracy"] == 0.75
    assert result["dataset"] == {"type": "custom", "name": "pets", "split": "test"}


def test_people_read_input_figures_data_versions_and_recipe() -> None:
    text = written(course())
    assert "shape (batch, 16, 16, 1)" in text
    assert "On 4 test images" in text
    assert "| accuracy | 0.7500 |" in text
    assert f"60 images, SHA-256 `{'ab' * 32}`" in text
    assert "With keras 3.15.1, kubefit 0.1.0, tensorflow 2.21.0." in text
    recipe = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[-1])
    assert resolve(Recipe.model_validate(recipe)) == RECIPE
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings == ["Input", "Classes", "Metrics", "Data", "Files", "Training"]


def test_a_format_that_is_not_there_has_its_reason_and_no_program() -> None:
    lost = Exported(format=ExportFormat.ONNX, path="model.onnx", problem="no | package")
    text = written(course(exported=[lost], evaluation=None))
    assert "| onnx | – | – | no / package |" in text
    assert "```python" not in text
    assert "model-index" not in front(text)
    assert "No images were held out" in text


def test_each_program_of_the_card_and_of_the_manual_loads_its_file(
    tmp_path: Path, monkeypatch
) -> None:
    model = network.build(RECIPE, classes=2)
    wanted = saved.Wanted(formats=list(ExportFormat), classes=CLASSES, kind=LabelKind.SINGLE_LABEL)
    images = np.zeros((2, 16, 16, 1), np.uint8)
    exported = saved.begin(model, tmp_path, wanted, samples=images).finish()
    programs = re.findall(r"```python\n(.*?)```", written(course(exported=exported)), re.DOTALL)
    assert len(programs) == len(ExportFormat)
    programs += re.findall(r"```python\n(.*?)```", MANUAL.read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    expected = model(images.astype(np.float32), training=False).numpy()
    for program in programs:
        names: dict[str, object] = {}
        exec(compile(program, "README.md", "exec"), names)
        outputs = np.asarray(names["outputs"])
        np.testing.assert_allclose(outputs, expected[: len(outputs)], rtol=1e-3, atol=1e-4)


@pytest.fixture
def pets(tmp_path: Path) -> tuple[Chosen, Path]:
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(b"x" * (number + 1))
    source = Source(
        labels=np.array([0, 1, 0, 1], np.int32),
        picture=lambda sample: Picture(np.zeros((8, 8, 1), np.uint8), (8, 8)),
        classes=["cat", "dog"],
        name=lambda sample: f"{tmp_path}/{sample}.png",
    )
    return Chosen(source=source, samples=np.arange(4)), tmp_path


def test_the_digest_tells_other_data_and_not_another_order_or_place(pets, tmp_path: Path) -> None:
    chosen, volume = pets
    images = Images(folder="pets")
    before = digest.of(chosen, images, volume)
    assert digest.of(replace(chosen, samples=np.array([3, 1, 0, 2])), images, volume) == before
    assert digest.of(replace(chosen, samples=np.arange(3)), images, volume) != before
    other = replace(chosen.source, labels=np.array([0, 1, 1, 1], np.int32))
    assert digest.of(replace(chosen, source=other), images, volume) != before
    (volume / "2.png").write_bytes(b"longer than before")
    assert digest.of(chosen, images, volume) != before
