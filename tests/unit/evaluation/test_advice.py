"""Each rule of the advice gives its advice where its observation holds, and none where not."""

import math

import numpy as np
import pytest
from courses import course, recipe

from kubefit.api.recipe import LabelKind, Recipe, resolve
from kubefit_trainer.evaluation import advice
from kubefit_trainer.evaluation.advice import RULES, Advice, Question
from kubefit_trainer.evaluation.course import Course, chance_of

POOR = {
    "loss": [1.2, 0.9, 0.8, 0.75, 0.74, 0.74, 0.74, 0.74],
    "accuracy": [0.5, 0.6, 0.66, 0.7, 0.71, 0.71, 0.71, 0.71],
    "val_loss": [1.2, 0.9, 0.82, 0.76, 0.75, 0.75, 0.75, 0.75],
    "val_accuracy": [0.5, 0.6, 0.66, 0.7, 0.7, 0.7, 0.7, 0.7],
}
"""It has learned what it can, which is not much."""
FALLING = {**POOR, "val_loss": [1.6, 1.4, 1.2, 1.1, 1.0, 0.9, 0.8, 0.7]}
BRIEF = recipe(training={"epochs": 2})
MIXED = recipe(augmentation={"mixUp": 0.2})
TRANSCRIPTS = resolve(
    Recipe.model_validate(
        {
            "speech": {"train": {"manifest": "said.csv"}, "transcription": {}},
            "training": {"epochs": 4, "learningRate": 0.01},
        }
    )
)
NUMBERS = recipe(data={"labels": "regression", "train": {"npz": "x"}})

CASES = {
    "the loss is not finite": (
        course({"loss": [2.0, math.nan, math.nan]}),
        Question.ACCURACY,
        "no finite number from epoch 2 on",
        "from 0.01 to 0.001",
    ),
    "the loss rises": (
        course({"loss": [1.0, 0.5, 0.9]}, accuracy=0.9),
        Question.ACCURACY,
        "risen from 0.5 in epoch 2 to 0.9",
        "from 0.01 to 0.001",
    ),
    "nothing is learned": (
        course({"loss": [2.3, 2.3, 2.3], "accuracy": [0.1, 0.11, 0.11]}, accuracy=0.1),
        Question.ACCURACY,
        "11.0%; always giving the most frequent answer has 10.0%",
        "`training.learningRate: auto`",
    ),
    "nothing is written": (
        course(
            {"loss": [9.0] * 4, "accuracy": [], "val_accuracy": [], "character_error_rate": [1.0]},
            accuracy=None,
            recipe=TRANSCRIPTS,
        ),
        Question.ACCURACY,
        "The character error rate on the training recordings is 100.0%",
        "`training.learningRate: auto`",
    ),
    "no number is explained": (
        course(
            {"loss": [1.0, 1.0], "accuracy": [], "val_accuracy": [], "val_r2": [0.0, 0.01]},
            accuracy=None,
            recipe=NUMBERS,
        ),
        Question.ACCURACY,
        "explain 1.0% of the variance",
        "`training.learningRate: auto`",
    ),
    "the loss still falls": (
        course(FALLING, accuracy=0.7),
        Question.ACCURACY,
        "still falling when training ended: 0.9 before the last 2 epochs, 0.7 within them",
        "16 epochs in place of 8",
    ),
    "few epochs": (
        course({name: values[:2] for name, values in POOR.items()}, accuracy=0.7, recipe=BRIEF),
        Question.ACCURACY,
        "over after 2 epochs",
        "4 epochs in place of 2",
    ),
    "two classes are confused": (
        course(POOR, accuracy=0.7, confusions=(("ant", "bee", 120), ("bee", "ant", 60))),
        Question.ACCURACY,
        "180 of the 300 mistakes take ant for bee or the other way round",
        "wrong labels are to be put right",
    ),
    "the training images are not learned": (
        course(POOR, accuracy=0.7),
        Question.ACCURACY,
        "71.0% even on the images that the model was trained on",
        "larger network",
    ),
    "it overfits": (
        course({"val_accuracy": [0.9] * 8}),
        Question.OVERFITTING,
        "97.9% on the training images and 90.0% on the 1000 held out",
        "`augmentation`",
    ),
    "numbers overfit": (
        course({"val_loss": [0.5, 0.3, 0.2, 0.3]}, accuracy=None, recipe=NUMBERS),
        Question.OVERFITTING,
        "risen from 0.2 to 0.3",
        "`augmentation`",
    ),
    "steps wait for images": (
        course(data_share=0.6),
        Question.SPEED,
        "during 60% of the time",
        "`kubefit data pack`",
    ),
    "steps wait for gradients": (
        course(exchange_share=0.5),
        Question.SPEED,
        "gradients of other workers during 50%",
        "`training.globalBatchSize` than 32",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_seen_gets_its_advice_first(case: str) -> None:
    given, question, seen, do = CASES[case]
    first = advice.advice(given)[0]
    assert first.question is question
    assert seen in first.seen
    assert do in first.do


def test_every_rule_has_a_case() -> None:
    fired = {
        next(rule.seen for rule in RULES if rule.seen(given) is not None)
        for given, *_ in CASES.values()
    }
    assert fired == {rule.seen for rule in RULES}


NONE = {
    "a good training": course(),
    "without an evaluation": course(accuracy=None),
    "without validation": course({"val_loss": [], "val_accuracy": []}),
    "without any epoch": course({name: [] for name in course().logs}, accuracy=None),
    "a loss that wavers": course({"loss": [1.0, 0.2, 0.22]}),
    "a loss that wavers near zero though all is well": course({"loss": [1.0, 1e-6, 5e-5]}),
    "accuracy of mixed labels that chance has too": course(
        {"accuracy": [0.1] * 8, "val_accuracy": [0.9] * 8}, accuracy=0.96, recipe=MIXED
    ),
    "mixed labels that are not learned": course(POOR, accuracy=0.7, recipe=MIXED),
    "a gap that few images explain": course({"val_accuracy": [0.9] * 8}, validation_images=20),
    "a loss that falls though all is well": course(
        {"val_loss": [1.6, 1.4, 1.2, 1.1, 1.0, 0.9, 0.8, 0.7]}
    ),
    "confusions of all kinds": course(
        confusions=(("ant", "bee", 12), ("bee", "cat", 11), ("cat", "dog", 7))
    ),
    "times that were not measured": course(data_share=None, exchange_share=None),
    "one worker that has nobody to wait for": course(exchange_share=0.5, workers=1),
}


@pytest.mark.parametrize("case", NONE)
def test_what_needs_no_change_gets_no_advice(case: str) -> None:
    assert advice.advice(NONE[case]) == []


def test_what_the_recipe_has_already_is_not_advised() -> None:
    regular = recipe(
        augmentation={"flip": "both"},
        model={"blocks": [{"dropout": 0.5}, {"flatten": True}]},
        training={"epochs": 8, "weightDecay": 0.1, "earlyStopping": {}},
    )
    overfitting: Course = course({"val_accuracy": [0.8] * 8}, recipe=regular)
    (one,) = advice.advice(overfitting)
    assert one.do.startswith("Add training images")


def test_what_overfits_is_not_asked_for_its_confusions() -> None:
    wrong = course({"val_accuracy": [0.7] * 8}, accuracy=0.7, confusions=(("ant", "bee", 290),))
    assert [one.question for one in advice.advice(wrong)] == [Question.OVERFITTING]


def test_images_that_are_packed_need_no_packing() -> None:
    packed = recipe(data={"train": {"packed": "pack"}})
    (one,) = advice.advice(course(data_share=0.5, recipe=packed))
    assert one.do.startswith("Give each worker more CPUs")


def test_each_question_has_one_answer_under_its_own_heading() -> None:
    found = advice.advice(course(FALLING, accuracy=0.7, data_share=0.5))
    text = advice.page(found)
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# Advice",
        f"## {Question.ACCURACY}",
        f"## {Question.SPEED}",
    ]
    assert "Nothing" in advice.page([])


def test_names_of_others_are_no_markdown() -> None:
    seen = "<img src=x> & [a](b) `c` *d* \\ e\n# f"
    text = advice.page([Advice(Question.ACCURACY, seen, "Use `data.cache`.")])
    assert text.endswith(
        "\n&lt;img src=x&gt; &amp; \\[a\\](b) \\`c\\` \\*d\\* \\\\ e # f Use `data.cache`.\n"
    )


def test_chance_is_the_most_frequent_answer() -> None:
    labels = np.array([0, 1, 1, 2])
    assert chance_of(labels, LabelKind.SINGLE_LABEL) == 0.5
    assert chance_of(np.eye(4)[:, :2], LabelKind.MULTI_LABEL) == 0.75
    assert chance_of(labels, LabelKind.REGRESSION) is None
