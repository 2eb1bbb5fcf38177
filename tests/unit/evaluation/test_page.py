"""The report is one page that needs nothing else, whatever names it is given."""

import html.parser
import math
from typing import get_args

import numpy as np
import pytest
from courses import GOOD, course

from kubefit.api.recipe import ImageLabels, LabelKind
from kubefit_trainer.evaluation import advice, judging, page, pictures, plots
from kubefit_trainer.evaluation.course import Course

EVIL = "</td><script>alert(1)</script>"


class Page(html.parser.HTMLParser):
    """What is in a page: tags, addresses, and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def judged(kind: LabelKind, **changes) -> Course:
    random = np.random.default_rng(0)
    single = kind is LabelKind.SINGLE_LABEL
    labels = random.integers(0, 3, 40) if single else random.integers(0, 2, (40, 3))
    outputs = random.dirichlet([1, 1, 1], 40)
    found = judging.judged(
        labels,
        outputs,
        kind=kind,
        classes=[EVIL, "bee", "cat"],
        split="test",
        samples=range(40),
        name=lambda sample: f"{EVIL}/{sample}.png",
        loss=0.5,
    )
    return course(evaluation=found, **changes)


def written(given: Course) -> Page:
    shown = {0: pictures.data_uri(np.zeros((8, 8, 1), np.uint8))}
    return Page(page.page(given, advice.advice(given), shown))


@pytest.mark.parametrize("kind", get_args(ImageLabels))
def test_names_of_others_are_shown_and_never_run(kind: LabelKind) -> None:
    found = written(judged(kind, job=EVIL))
    assert "script" not in found.tags
    assert EVIL in found.text
    assert all(address.startswith("data:") for address in found.addresses)


def test_many_classes_are_told_by_the_worst_of_them() -> None:
    random = np.random.default_rng(0)
    found = judging.judged(
        random.integers(0, 300, 900),
        random.uniform(size=(900, 300)),
        kind=LabelKind.SINGLE_LABEL,
        classes=[f"class {i}" for i in range(300)],
        split="test",
        samples=range(900),
        name=str,
        loss=float("nan"),
    )
    text = written(course(evaluation=found)).text
    assert "The 200 of 300 classes with the lowest F1" in text
    assert "Most frequent confusions" in text
    assert "Confusion matrix" not in text


def test_a_training_without_evaluation_has_its_curves() -> None:
    found = written(course(evaluation=None))
    assert "No images were held out" in found.text
    assert found.tags.count("figure") == 2


def test_a_model_that_was_never_fitted_has_no_curves() -> None:
    assert "figure" not in written(course({name: [] for name in GOOD}, evaluation=None)).tags


def test_code_in_advice_is_marked_as_such() -> None:
    found = written(course(data_share=0.5))
    assert "`" not in found.text
    assert "code" in found.tags


def test_names_in_advice_are_no_code() -> None:
    classes = (("`ant`", "bee", 290),)
    found = written(course({"val_loss": [0.1] * 8}, accuracy=0.7, confusions=classes))
    assert "take `ant` for bee" in found.text


def test_curves_are_broken_where_the_loss_is_no_number() -> None:
    (plot,) = plots.curves({"loss": [1.0, 0.5, math.nan, math.inf, 0.7]})
    (line,) = plot.lines
    assert [len(piece.split()) for piece in line.pieces] == [2, 1]


@pytest.mark.parametrize("losses", [[math.nan], [0.5], [0.0, 0.0], [1e-12, 2e-12], [3e30, 1.0]])
def test_any_losses_can_be_drawn(losses: list[float]) -> None:
    (plot,) = plots.curves({"loss": losses, "val_loss": losses})
    places = [place for line in plot.lines for dot in line.dots for place in dot]
    assert all(0 <= place <= plots.WIDTH for place in places)
    assert 1 <= len(plot.y_ticks) <= 12
    assert [line.name for line in plot.lines] == ["training", "validation"]


def test_large_pictures_become_small_ones() -> None:
    large = pictures.data_uri(np.random.default_rng(0).integers(0, 255, (700, 900, 3), np.uint8))
    assert large.startswith("data:image/jpeg;base64,")
    assert len(large) < 40_000
