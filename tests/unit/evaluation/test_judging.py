"""What is told of a model, for each kind of labels, and of one that gives no numbers."""

import json
import tracemalloc
from typing import get_args

import numpy as np
import pytest

from kubefit.api.recipe import ImageLabels, LabelKind
from kubefit_trainer.evaluation import chunks, judging
from kubefit_trainer.evaluation.findings import Evaluation

CLASSES = ["cat", "dog"]


def judged(labels, outputs, kind: LabelKind, **changes) -> Evaluation:
    labels = np.array(labels)
    given = {
        "kind": kind,
        "classes": CLASSES,
        "split": "test",
        "samples": range(100, 100 + len(labels)),
        "name": "{}.png".format,
        "loss": 0.25,
    }
    return judging.judged(labels, np.array(outputs, np.float32), **{**given, **changes})


def test_mistakes_are_named_the_surest_first() -> None:
    outputs = [[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.95, 0.05]]
    found = judged([0, 1, 0, 1], outputs, LabelKind.SINGLE_LABEL)
    assert [(m.image, m.actual, m.predicted) for m in found.mistakes] == [
        ("103.png", "dog", "cat (95%)"),
        ("101.png", "dog", "cat (80%)"),
        ("102.png", "cat", "dog (60%)"),
    ]
    assert found.metrics["loss"] == 0.25


def test_no_more_mistakes_are_named_than_can_be_looked_at() -> None:
    wrong = [[0.0, 1.0]] * (judging.MISTAKES + 5)
    found = judged([0] * len(wrong), wrong, LabelKind.SINGLE_LABEL)
    assert len(found.mistakes) == judging.MISTAKES


def test_one_column_is_the_probability_of_the_second_class() -> None:
    found = judged([0, 1, 1], [[0.2], [0.9], [0.4]], LabelKind.SINGLE_LABEL)
    assert found.matrix == [[1, 0], [1, 1]]
    assert found.metrics["accuracy"] == pytest.approx(2 / 3)


def test_images_of_any_number_of_classes_tell_all_that_was_expected_and_found() -> None:
    found = judged([[1, 1], [0, 0]], [[0.9, 0.1], [0.1, 0.2]], LabelKind.MULTI_LABEL)
    assert [(m.actual, m.predicted) for m in found.mistakes] == [("cat, dog", "cat")]
    assert found.matrix is None
    assert found.metrics["exactMatch"] == 0.5


def test_numbers_are_wrong_by_their_own_spread() -> None:
    truth = [[0.0, 0.0], [1.0, 1000.0], [2.0, 2000.0]]
    outputs = [[0.0, 100.0], [2.0, 1000.0], [2.0, 2000.0]]
    found = judged(truth, outputs, LabelKind.REGRESSION)
    assert [m.sample for m in found.mistakes][:2] == [101, 100]
    assert [n.name for n in found.numbers] == CLASSES
    assert found.classes == []


@pytest.mark.parametrize("kind", LabelKind)
def test_a_model_that_gives_no_numbers_is_judged_all_the_same(kind: LabelKind) -> None:
    few = {LabelKind.SINGLE_LABEL: [0, 1], LabelKind.TEXT: ["ab", "b"]}
    found = judged(
        few.get(kind, [[0, 1], [1, 0]]), np.full((2, 2), np.nan), kind, loss=float("nan")
    )
    assert found.not_finite == 2
    wire = found.model_dump_json(by_alias=True)
    assert "NaN" not in wire
    assert Evaluation.model_validate(json.loads(wire)) == found


def labels_of(kind: LabelKind, random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    if kind is LabelKind.SINGLE_LABEL:
        return random.integers(0, shape[1], shape[0])
    if kind is LabelKind.MULTI_LABEL:
        return random.integers(0, 2, shape, np.uint8)
    return random.normal(5, 3, shape).astype(np.float32)


@pytest.mark.parametrize("kind", get_args(ImageLabels))
def test_figures_take_less_memory_than_the_predictions(kind: LabelKind) -> None:
    random = np.random.default_rng(0)
    outputs = random.random((200_000, 50), np.float32)
    labels, names = labels_of(kind, random, outputs.shape), [str(i) for i in range(50)]
    given = {"classes": names, "split": "test", "samples": np.arange(len(labels)), "name": str}
    tracemalloc.start()
    judging.judged(labels, outputs, kind=kind, loss=0.0, **given)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < outputs.nbytes


@pytest.mark.parametrize("kind", get_args(ImageLabels))
def test_figures_are_the_same_however_many_images_are_looked_at_together(
    kind: LabelKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    outputs = random.dirichlet([1, 1], 37)
    labels = labels_of(kind, random, outputs.shape)
    whole = judged(labels, outputs, kind)
    monkeypatch.setattr(chunks, "_NUMBERS", 10)
    parts = judged(labels, outputs, kind)
    assert parts.metrics == pytest.approx(whole.metrics)
    assert parts.classes == whole.classes
    assert [one.image for one in parts.mistakes] == [one.image for one in whole.mistakes]
    assert [one.r2 for one in parts.numbers] == pytest.approx([one.r2 for one in whole.numbers])
    if whole.calibration is not None and parts.calibration is not None:
        error = whole.calibration.expected_error
        assert parts.calibration.expected_error == pytest.approx(error)


def test_a_number_that_is_always_the_same_has_nothing_to_explain() -> None:
    truth = [[0.1, i] for i in range(99)]
    found = judged(truth, truth, LabelKind.REGRESSION)
    assert [n.r2 for n in found.numbers] == [None, 1.0]
