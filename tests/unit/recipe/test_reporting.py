"""The files of a report, and what becomes of one that cannot be written."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from kubefit.api.recipe import Explanation, Recipe, Report, resolve
from kubefit_trainer.evaluation import pictures
from kubefit_trainer.images.decode import Picture
from kubefit_trainer.preflight.pictures import UnreadableError
from kubefit_trainer.recipe import predictions, reporting
from kubefit_trainer.recipe.inputs import Chosen, Inputs
from kubefit_trainer.recipe.predictions import Predictions
from kubefit_trainer.recipe.sources import Source
from kubefit_trainer.recipe.waiting import Waiting

VOLUME = Path("/volume")
GONE = 5


def picture(sample: int) -> Picture:
    if sample == GONE:
        raise UnreadableError({"5.png": "it is gone"}, field="spec.recipe.data.train.folder")
    return Picture(np.full((8, 8, 1), sample, np.uint8), (8, 8))


SOURCE = Source(
    labels=np.array([0, 1] * 5, np.int32),
    picture=picture,
    classes=["cat", "dog"],
    name="/volume/pets/{}.png".format,
)
RECIPE = resolve(
    Recipe.model_validate(
        {
            "data": {"train": {"folder": "pets"}, "imageSize": [8, 8], "channels": 1},
            "model": {"blocks": [{"flatten": True}]},
            "training": {"epochs": 1},
        }
    )
)


def chosen(*samples: int) -> Chosen:
    return Chosen(source=SOURCE, samples=np.array(samples))


def given(evaluation: Chosen | None, validation: Chosen | None = None) -> dict[str, Any]:
    """All that a report is made of; the model takes every image for a cat."""
    inputs = Inputs(train=chosen(0, 1, 2, 3), validation=validation, evaluation=evaluation)
    cats = evaluation and Predictions(
        samples=evaluation.samples, outputs=np.tile([[0.9, 0.1]], (len(evaluation.samples), 1))
    )
    return {
        "job": "pets",
        "workers": 1,
        "recipe": RECIPE,
        "inputs": inputs,
        "volume": VOLUME,
        "logs": {"loss": [1.0, 0.5]},
        "waiting": Waiting(),
        "loss": 0.5,
        "predicted": cats,
    }


def figures(folder: Path) -> dict[str, Any]:
    return json.loads((folder / reporting.FIGURES).read_text())


def test_images_are_named_as_they_lie_on_the_volume_and_shown_where_they_can_be_read(
    tmp_path: Path,
) -> None:
    reporting.write(tmp_path, **given(chosen(4, GONE, 7)))
    images = [mistake["image"] for mistake in figures(tmp_path)["mistakes"]]
    assert images == ["pets/5.png", "pets/7.png"]
    page = (tmp_path / reporting.PAGE).read_text()
    assert page.count("data:image/png") == 1


@pytest.mark.parametrize("split", ["test", "validation"])
def test_the_split_that_was_judged_is_told(tmp_path: Path, split: str) -> None:
    held = chosen(4, 6)
    judged = held if split == "validation" else chosen(7, 8)
    reporting.write(tmp_path, **given(judged, validation=held))
    assert figures(tmp_path)["split"] == split


def network(*layers: keras.layers.Layer) -> keras.Model:
    inputs = keras.Input((8, 8, 1))
    found = inputs
    for layer in layers:
        found = layer(found)
    return keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(found))


def test_mistakes_are_shown_with_the_places_of_their_reasons_on_the_page_and_in_tensorboard(
    tmp_path: Path,
) -> None:
    model = network(keras.layers.Conv2D(2, 3), keras.layers.Flatten())
    folder = tmp_path / "tensorboard"
    recipe = RECIPE.model_copy(update={"report": Report(explain=list(Explanation))})
    asked = {"model": model, "tensorboard": folder, "recipe": recipe}
    reporting.write(tmp_path, **given(chosen(4, 7, 9)) | asked)
    found = figures(tmp_path)
    told = {(one["sample"], one["method"]) for one in found["explained"]}
    assert told == {(i, method) for i in (7, 9) for method in Explanation}
    assert all(one["complete"] for one in found["explained"] if one["gap"] is not None)
    page = (tmp_path / reporting.PAGE).read_text()
    assert page.count("data:image/png") == 6
    assert page.count("(complete, the sum is off by") == 6
    (events,) = folder.glob("evaluation/events*")
    tags = [
        value.tag
        for event in tf.compat.v1.train.summary_iterator(str(events))
        for value in event.summary.value
    ]
    assert tags == ["confusion matrix", "worst mistakes/01", "worst mistakes/02"]


def test_a_network_without_a_map_has_a_sentence_in_place_of_colours(tmp_path: Path) -> None:
    reporting.write(tmp_path, **given(chosen(7)) | {"model": network(keras.layers.Flatten())})
    page = (tmp_path / reporting.PAGE).read_text()
    assert "There is no Grad-CAM: the network has no convolution" in page
    assert page.count("data:image/png") == 1


def test_colours_are_where_the_heat_is() -> None:
    grey = np.full((8, 8, 1), 100, np.uint8)
    heat = np.zeros((4, 4), np.float32)
    heat[0, 0] = 1.0
    found = pictures.heated(grey, heat)
    assert found.shape == (8, 8, 3)
    assert np.ptp(found[0, 0].astype(int)) > 50
    np.testing.assert_array_equal(found[4:, 4:], 100)


def test_without_predictions_there_is_a_page_and_no_figures(tmp_path: Path) -> None:
    reporting.write(tmp_path, **given(None))
    assert {file.name for file in tmp_path.iterdir()} == {reporting.PAGE, reporting.ADVICE}


def test_the_page_tells_why_there_are_no_figures(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(predictions, "_LARGEST", 8)
    reporting.write(tmp_path, **given(chosen(4, 6)) | {"predicted": None})
    page = (tmp_path / reporting.PAGE).read_text()
    assert "predictions for 2 images, 2 numbers each" in page
    assert "No images were held out" not in page


def test_a_report_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    taken = tmp_path / "report"
    taken.touch()
    warnings: list[str] = []
    reporting.write_or_warn(taken, warnings.append, **given(chosen(4)))
    (warning,) = warnings
    assert warning.startswith("there is no report: FileExistsError: ")
    assert str(taken) in warning


def test_a_report_that_cannot_be_written_does_not_cost_the_model_card(tmp_path: Path) -> None:
    taken, warnings = tmp_path / "report", []
    taken.touch()
    reporting.write_or_warn(taken, warnings.append, export=tmp_path, **given(chosen(4)))
    assert [text.partition(":")[0] for text in warnings] == ["there is no report"]
    assert "On 1 test images" in (tmp_path / "README.md").read_text()


def test_few_warnings_are_told_and_no_long_ones() -> None:
    warnings: list[str] = []
    for number in range(20):
        warnings = reporting.with_warning(warnings, f"{number}: {'x' * 10_000}")
    assert [text[:3] for text in warnings] == [f"{number}: " for number in range(8)]
    assert {len(text) for text in warnings} == {500}
    assert reporting.with_warning([], "short") == ["short"]


def test_more_predictions_than_the_chief_keeps_are_refused_with_their_size(monkeypatch) -> None:
    monkeypatch.setattr(predictions, "_LARGEST", 8 * 3)
    assert predictions.too_many(chosen(1, 2, 3), RECIPE) == ""
    text = predictions.too_many(chosen(1, 2, 3, 4), RECIPE)
    assert text.startswith("predictions for 4 images, 2 numbers each, would take")
