"""What a training leaves for people to read, and whether its advice is the right one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kubefit_trainer.evaluation.advice import Question

pytestmark = pytest.mark.train

SCENARIOS = Path(__file__).with_name("scenarios_report.py")
Reports = dict[str, dict[str, str]]
"""Files of each training."""


@pytest.fixture(scope="module")
def reports(worker_group: Callable[..., list[dict[str, Any]]]) -> Reports:
    (alone,) = worker_group(SCENARIOS, workers=1)
    return alone


def figures(report: dict[str, str]) -> dict[str, Any]:
    return json.loads(report["evaluation.json"])


def test_a_good_training_gets_no_advice(reports: Reports) -> None:
    assert "Nothing in the numbers" in reports["good"]["advice.md"]
    assert figures(reports["good"])["metrics"]["accuracy"] > 0.95


@pytest.mark.parametrize(
    ("training", "question", "change"),
    [
        ("too_high_a_rate", Question.ACCURACY, "`training.learningRate"),
        ("overfitting", Question.OVERFITTING, "`augmentation`"),
        ("starved", Question.SPEED, "`kubefit data pack`"),
    ],
)
def test_a_bad_training_gets_the_right_advice_first(
    reports: Reports, training: str, question: Question, change: str
) -> None:
    _, first, *_ = reports[training]["advice.md"].split("## ")
    heading, _, text = first.partition("\n")
    assert heading == question
    assert change in text


def test_figures_are_of_every_image_that_was_held_out(reports: Reports) -> None:
    found = figures(reports["good"])
    assert found["split"] == "test"
    assert found["images"] == sum(map(sum, found["matrix"])) == pytest.approx(0.2 * 1797, abs=2)
    right = sum(found["matrix"][i][i] for i in range(10))
    assert found["metrics"]["accuracy"] == pytest.approx(right / found["images"])
    assert found["metrics"]["loss"] < 0.5


def test_without_test_images_those_of_validation_are_judged(reports: Reports) -> None:
    assert figures(reports["overfitting"])["split"] == "validation"


def test_mistakes_are_named_and_shown(reports: Reports) -> None:
    found = reports["overfitting"]
    mistakes = figures(found)["mistakes"]
    assert mistakes
    assert mistakes[0]["image"].startswith("image ")
    assert found["index.html"].count("data:image/png;base64,") == len(mistakes)
