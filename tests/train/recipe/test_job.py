"""A recipe from YAML to exported model, with the agents and processes that run in pods."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from event_files import histograms, profiled_steps
from PIL import Image
from shades import write_images

from kubefit.api.names import Phase
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.local import LocalResult, run_local

pytestmark = pytest.mark.train

CLASSES = {"dark": 40, "light": 200, "middle": 120}
EPOCHS = 2


def recipe() -> dict[str, Any]:
    return {
        "data": {
            "train": {"folder": "train"},
            "test": {"folder": "test"},
            "validationSplit": 0.2,
            "imageSize": [8, 8],
            "channels": 1,
        },
        "augmentation": {"flip": "both", "rotation": 20, "crop": 0.1},
        "model": {"blocks": [{"conv": 4}, {"batchNorm": True}, {"globalPool": True}]},
        "training": {"epochs": EPOCHS, "globalBatchSize": 8, "learningRate": 0.05},
    }


def trained(volume: Path, **changes: Any) -> tuple[LocalResult, list[str]]:
    """The result of a run on two workers, and what the chief printed."""
    job = TrainingJob.model_validate(
        {
            "metadata": {"name": "levels"},
            "spec": {
                "workers": 2,
                "storage": {"claim": "none"},
                "tensorboard": {"histograms": {"everyEpochs": 2}, "profile": {"steps": [3, 4]}},
                "recipe": {**recipe(), **changes},
            },
        }
    )
    lines: list[str] = []

    def on_line(rank: int, line: str) -> None:
        if rank == 0:
            lines.append(line)

    result = run_local(
        job,
        volume_dir=volume,
        runs_dir=volume / "runs",
        on_status=lambda statuses: None,
        on_line=on_line,
    )
    return result, lines


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, LocalResult, list[str]]:
    volume = tmp_path_factory.mktemp("volume")
    write_images(volume / "train", CLASSES, each=21, spread=10, seed=0)
    write_images(volume / "test", CLASSES, each=7, spread=10, seed=1)
    result, lines = trained(volume)
    assert result.phase is Phase.SUCCEEDED, result.failure
    return volume, result, lines


def images_to_test(volume: Path) -> tuple[np.ndarray, np.ndarray]:
    files = sorted((volume / "test").glob("*/*.png"))
    labels = [sorted(CLASSES).index(file.parent.name) for file in files]
    pixels = np.stack([np.asarray(Image.open(file), np.float32) for file in files])
    return pixels[..., None], np.array(labels)


def test_both_exports_have_the_reported_accuracy_and_loss(finished) -> None:
    volume, result, _ = finished
    pixels, labels = images_to_test(volume)
    model = keras.models.load_model(result.job_dir / "export" / "model.keras")
    served = tf.saved_model.load(str(result.job_dir / "export" / "saved_model" / "1"))
    expected = model.predict(pixels, verbose=0)
    np.testing.assert_allclose(served.serve(pixels), expected, rtol=1e-4, atol=1e-6)
    accuracy = np.mean(expected.argmax(axis=1) == labels)
    loss = -np.log(expected[np.arange(len(labels)), labels]).mean()
    assert result.evaluation == {
        "accuracy": pytest.approx(accuracy, rel=1e-4),
        "loss": pytest.approx(loss, rel=1e-3),
    }


def test_the_report_judges_every_image_to_test_once_as_the_exported_model_does(finished) -> None:
    volume, result, _ = finished
    pixels, labels = images_to_test(volume)
    model = keras.models.load_model(result.job_dir / "export" / "model.keras")
    predicted = model.predict(pixels, verbose=0).argmax(axis=1)
    matrix = np.zeros((3, 3), int)
    np.add.at(matrix, (labels, predicted), 1)
    report = result.job_dir / "report"
    found = json.loads((report / "evaluation.json").read_text())
    assert found["matrix"] == matrix.tolist()
    assert found["metrics"]["loss"] == pytest.approx(result.evaluation["loss"])
    assert all(mistake["image"].startswith("test/") for mistake in found["mistakes"])
    files = {"evaluation.json", "index.html", "advice.md"}
    assert {file.name for file in report.iterdir()} == files
    assert {one["method"] for one in found["explained"]} == {"gradCam"}
    assert result.warnings == []


def test_a_server_takes_raw_images_and_the_card_tells_what_the_report_does(finished) -> None:
    volume, result, _ = finished
    pixels, _ = images_to_test(volume)
    export = result.job_dir / "export"
    model = keras.models.load_model(export / "model.keras")
    served = tf.saved_model.load(str(export / "saved_model" / "1")).signatures["serving_default"]
    answer = served(image=tf.constant(pixels.astype(np.uint8)))
    likeliest = model.predict(pixels, verbose=0).argmax(axis=1)
    names = [name.decode() for name in answer["labels"].numpy()]
    assert names == [sorted(CLASSES)[i] for i in likeliest]
    card = (export / "README.md").read_text()
    assert f"| accuracy | {result.evaluation['accuracy']:.4f} |" in card
    assert f"On {len(pixels)} test images" in card


def test_class_names_lie_beside_the_model(finished) -> None:
    _, result, _ = finished
    names = json.loads((result.job_dir / "export" / "labels.json").read_text())
    assert names == sorted(CLASSES)


def test_only_the_chief_writes_curves(finished) -> None:
    _, result, _ = finished
    found = [path.parent.name for path in (result.job_dir / "tensorboard").rglob("events*")]
    assert sorted(found) == ["evaluation", "train", "validation", "weights"]


def test_histograms_and_a_profile_are_written_as_asked(finished) -> None:
    _, result, _ = finished
    found = histograms(result.job_dir)
    assert list(found) == [2]
    model = keras.models.load_model(result.job_dir / "export" / "model.keras")
    assert found[2].keys() == {weight.path for weight in model.trainable_variables}
    assert profiled_steps(result.job_dir, "steps-3-4") == [3, 4]


def test_curves_hold_the_losses_of_every_epoch(finished) -> None:
    _, result, lines = finished
    (events,) = (result.job_dir / "tensorboard" / "train").glob("events*")
    losses = [
        float(tf.make_ndarray(value.tensor))
        for event in tf.compat.v1.train.summary_iterator(str(events))
        for value in event.summary.value
        if value.tag == "epoch_loss"
    ]
    printed = [fields(line)["loss"] for line in lines if line.startswith("epoch=")]
    assert [float(loss) for loss in printed] == pytest.approx(losses, rel=1e-4)
    assert len(losses) == EPOCHS


def fields(line: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in line.split())


def test_the_chief_prints_one_line_an_epoch_that_programs_can_read(finished) -> None:
    _, _, lines = finished
    epochs = [fields(line) for line in lines if line.startswith("epoch=")]
    assert [epoch["epoch"] for epoch in epochs] == ["1/2", "2/2"]
    names = {"epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"}
    assert names < set(epochs[0])


def test_an_image_that_breaks_off_is_named_or_skipped_with_a_count(tmp_path: Path) -> None:
    write_images(tmp_path / "train", CLASSES, each=6, spread=10, seed=0)
    write_images(tmp_path / "test", CLASSES, each=2, spread=10, seed=1)
    file = tmp_path / "train" / "light" / "3.png"
    # It ends as it should, so that only decoding tells.
    file.write_bytes(file.read_bytes()[:50] + file.read_bytes()[-12:])
    result, _ = trained(tmp_path)
    assert result.phase is Phase.FAILED
    assert result.failure is not None
    assert result.failure.reason == "ConfigurationError"
    assert result.failure.message.startswith("spec.recipe.data.train.folder: ")
    assert f"{file} cannot be read" in result.failure.message
    result, lines = trained(tmp_path, data={**recipe()["data"], "onUnreadable": "skip"})
    assert result.phase is Phase.SUCCEEDED, result.failure
    assert result.skipped_images == 1
    assert json.loads(Path(result.files.skipped).read_text()) == {
        str(file): "it is damaged or breaks off"
    }
    assert "skipped_images=1" in lines
    assert f"skipped: {file} cannot be read (it is damaged or breaks off)" in lines


def test_a_frozen_backbone_keeps_the_weights_of_its_file(tmp_path: Path) -> None:
    write_images(tmp_path / "train", CLASSES, each=6, spread=10, seed=0)
    backbone = keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg"
    )
    backbone.save_weights(tmp_path / "mobile.weights.h5")
    result, _ = trained(
        tmp_path,
        data={"train": {"folder": "train"}, "imageSize": [32, 32]},
        model={"backbone": {"name": "MobileNet", "weights": "mobile.weights.h5"}},
    )
    assert result.phase is Phase.SUCCEEDED, result.failure
    assert result.evaluation == {}
    model = keras.models.load_model(result.job_dir / "export" / "model.keras")
    kept = model.get_layer("backbone").get_weights()
    for one, other in zip(backbone.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(one, other)
