"""Every refusal of a TrainingJob is one sentence that starts with the path of its field."""

import copy
import datetime
from typing import Any

import pytest
from pydantic import ValidationError

from kubefit.api.errors import explain, field_path, read_job
from kubefit.api.v1alpha1 import TrainingJob

GOOD: dict[str, Any] = {
    "apiVersion": "kubefit.dev/v1alpha1",
    "kind": "TrainingJob",
    "metadata": {"name": "digits"},
    "spec": {
        "workers": 2,
        "storage": {"claim": "data"},
        "recipe": {
            "data": {"train": {"folder": "digits"}, "imageSize": [8, 8]},
            "model": {"blocks": [{"conv": 32}, {"flatten": True}]},
            "training": {"epochs": 3},
        },
    },
}
ABSENT = object()


def changed(path: str, value: object) -> dict[str, Any]:
    """The good job with the value at `path` replaced, or taken away when `ABSENT`."""
    job = copy.deepcopy(GOOD)
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
    node: Any = job
    for part in parents:
        node = node[part]
    if value is ABSENT:
        del node[last]
    else:
        node[last] = value
    return job


REFUSALS: list[tuple[str, object, str]] = [
    ("spec.workers", -1, "spec.workers: -1 is less than 1"),
    ("spec.workers", 5000, "spec.workers: 5000 is more than 1024"),
    ("spec.workers", [2], "spec.workers: a list is not a whole number"),
    ("spec.workers", 1.5, "spec.workers: 1.5 is not a whole number"),
    ("spec.workers", "2", "spec.workers: '2' is not a whole number"),
    (
        "spec.tensorboard",
        {"enabled": "yes"},
        "spec.tensorboard.enabled: 'yes' is not true or false",
    ),
    ("spec.image", 3, "spec.image: 3 is not a string"),
    ("spec.wrokers", 2, "spec.wrokers: unknown field"),
    ("spec.storage", ABSENT, "spec.storage: is required"),
    ("spec.storage", {}, "spec.storage: set exactly one of claim and create"),
    ("spec.storage", None, "spec.storage: null is not a mapping"),
    ("spec.recipe", ABSENT, "spec: set exactly one of recipe and script"),
    ("spec.script", {"path": "/a.py"}, "spec: set exactly one of recipe and script"),
    (
        "spec.resources",
        {"limits": {"cpu": [1]}},
        "spec.resources.limits.cpu: a list is not a whole number or a string",
    ),
    (
        "spec.recipe.data.train.npz",
        "digits.npz",
        "spec.recipe.data.train: set exactly one of folder, manifest, packed, npz, npy, tfrecord"
        " and tfds",
    ),
    (
        "spec.recipe.data.channels",
        2,
        "spec.recipe.data.channels: 2 is not 1 (grayscale) or 3 (RGB)",
    ),
    (
        "spec.recipe.data.imageSize",
        [8],
        "spec.recipe.data.imageSize: has 1 items, fewer than 2",
    ),
    (
        "spec.recipe.data.imageSize.1",
        -8,
        "spec.recipe.data.imageSize[1]: -8 is less than 1",
    ),
    (
        "spec.recipe.data.train.folder",
        "",
        "spec.recipe.data.train.folder: '' has fewer than 1 characters",
    ),
    (
        "spec.recipe.model.blocks.0.dense",
        10,
        "spec.recipe.model.blocks[0]: a block has exactly one of conv, pool, globalPool,"
        " batchNorm, flatten, dense and dropout",
    ),
    (
        "spec.recipe.augmentation",
        {"flip": "sideways"},
        "spec.recipe.augmentation.flip: 'sideways' is not one of none, horizontal, vertical, both",
    ),
    (
        "spec.recipe.training.learningRate",
        "fast",
        "spec.recipe.training.learningRate: 'fast' is neither auto nor a number of 1e-12 to 1000",
    ),
    ("spec.recipe", 3, "spec.recipe: 3 is not a mapping"),
    (
        "spec.recipe.model.blocks.1.flatten",
        [],
        "spec.recipe.model.blocks[1].flatten: a list is not true or false",
    ),
    (
        "status",
        {"phase": "Odd"},
        "status.phase: 'Odd' is not one of Pending, Queued, Starting, Running,"
        " Restarting, Suspended, Succeeded, Failed",
    ),
    ("status", {"startTime": "noon"}, "status.startTime: 'noon' is not a date and time"),
    (
        "kind",
        "TFJob",
        "kind: 'TFJob' is not one of TrainingJob",
    ),
    (
        "metadata.name",
        "d" * 52,
        "metadata.name: at most 51 characters, lower-case letters, digits and '-', starting with a"
        " letter, so that the host names of workers and TensorBoard fit a DNS label;"
        f" '{'d' * 52}' has 52 characters",
    ),
]


@pytest.mark.parametrize(("path", "value", "sentence"), REFUSALS)
def test_a_refusal_names_the_field_and_what_was_seen(
    path: str, value: object, sentence: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        read_job(changed(path, value))
    assert explain(caught.value) == [sentence]


def test_an_unknown_backbone_lists_the_known_ones_and_the_nearest() -> None:
    job = changed("spec.recipe.model", {"backbone": {"name": "Resnet50"}})
    with pytest.raises(ValidationError) as caught:
        read_job(job)
    (sentence,) = explain(caught.value)
    assert sentence.startswith(
        "spec.recipe.model.backbone.name: 'Resnet50' is not one of ConvNeXtBase, ConvNeXtLarge, "
    )
    assert sentence.endswith("; did you mean 'ResNet50'?")


def test_every_fault_has_its_own_sentence() -> None:
    job = changed("spec.workers", 0)
    job["spec"]["recipe"]["training"]["epochs"] = -3
    with pytest.raises(ValidationError) as caught:
        read_job(job)
    assert explain(caught.value) == [
        "spec.workers: 0 is less than 1",
        "spec.recipe.training.epochs: -3 is less than 1",
    ]


def test_a_document_that_is_no_mapping_is_refused_in_words() -> None:
    with pytest.raises(ValidationError) as caught:
        read_job("hello")
    assert explain(caught.value) == ["'hello' is not a mapping"]


def test_text_that_is_no_json_is_refused_in_words() -> None:
    with pytest.raises(ValidationError) as caught:
        TrainingJob.model_validate_json("{")
    (sentence,) = explain(caught.value)
    assert sentence.startswith("invalid JSON: ")


def test_a_long_value_is_cut() -> None:
    with pytest.raises(ValidationError) as caught:
        read_job(changed("spec.workers", "x" * 500))
    (sentence,) = explain(caught.value)
    assert len(sentence) < 120


def test_list_positions_are_written_in_brackets() -> None:
    assert field_path(("spec", "blocks", 2, "conv")) == "spec.blocks[2].conv"


def test_a_date_that_yaml_made_of_a_text_is_named() -> None:
    with pytest.raises(ValidationError) as caught:
        read_job(changed("spec.workers", datetime.date(2026, 1, 2)))
    assert explain(caught.value) == ["spec.workers: '2026-01-02' is not a whole number"]


def test_a_good_job_is_read() -> None:
    assert read_job(GOOD).spec.workers == 2
