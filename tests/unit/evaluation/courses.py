"""Trainings by their numbers, for tests of what is made of them."""

from typing import Any

from kubefit.api.recipe import LabelKind, Recipe, resolve
from kubefit_trainer.evaluation.course import Course
from kubefit_trainer.evaluation.findings import Confusion, Evaluation

GOOD = {
    "loss": [1.6, 0.7, 0.3, 0.2, 0.15, 0.13, 0.12, 0.12],
    "accuracy": [0.5, 0.8, 0.92, 0.95, 0.97, 0.975, 0.978, 0.979],
    "val_loss": [1.5, 0.6, 0.28, 0.2, 0.17, 0.15, 0.14, 0.14],
    "val_accuracy": [0.55, 0.82, 0.93, 0.95, 0.96, 0.968, 0.97, 0.97],
}
"""A training that nobody would change."""


def recipe(**changes: dict[str, Any]) -> Recipe:
    whole: dict[str, Any] = {
        "data": {"train": {"folder": "train"}, "imageSize": [8, 8], "channels": 1},
        "model": {"blocks": [{"flatten": True}]},
        "training": {"epochs": 8, "learningRate": 0.01},
    }
    for name, fields in changes.items():
        whole[name] = {**whole.get(name, {}), **fields}
    return resolve(Recipe.model_validate(whole))


def course(
    logs: dict[str, list[float]] | None = None,
    *,
    accuracy: float | None = 0.97,
    confusions: tuple[tuple[str, str, int], ...] = (),
    **changes: Any,
) -> Course:
    """The good training with other numbers."""
    given: dict[str, Any] = {
        "job": "digits",
        "recipe": recipe(),
        "workers": 2,
        "logs": {**GOOD, **(logs or {})},
        "chance": 0.1,
        "validation_images": 1000,
        "evaluation": accuracy and evaluation(accuracy, confusions),
        "data_share": 0.02,
        "exchange_share": 0.05,
    }
    return Course(**{**given, **changes})


def evaluation(accuracy: float, confusions: tuple[tuple[str, str, int], ...] = ()) -> Evaluation:
    scores = {"images": 250, "predicted": 250, "precision": 1.0, "recall": 1.0, "f1": 1.0}
    return Evaluation(
        labels=LabelKind.SINGLE_LABEL,
        split="test",
        images=1000,
        metrics={"accuracy": accuracy},
        classes=[{"name": name, "auc": None, **scores} for name in ("ant", "bee", "cat", "dog")],
        confusions=[
            Confusion(actual=one, predicted=other, images=images)
            for one, other, images in confusions
        ],
    )
