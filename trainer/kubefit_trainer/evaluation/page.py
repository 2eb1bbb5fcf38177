"""`report/index.html`: one file with all that it shows, which needs no network and no script."""

from collections.abc import Mapping, Sequence

import jinja2
import yaml

from kubefit.api.recipe import Explanation, LabelKind, Recipe
from kubefit_trainer.evaluation import plots
from kubefit_trainer.evaluation.advice import Advice
from kubefit_trainer.evaluation.course import Course
from kubefit_trainer.evaluation.findings import ClassScores, Evaluation

_CLASSES = 200
"""Classes that the table has at most, those with the lowest F1 first."""
_OF_KIND = {
    LabelKind.SINGLE_LABEL: "one class {each}",
    LabelKind.MULTI_LABEL: "any number of classes {each}",
    LabelKind.REGRESSION: "numbers",
    LabelKind.TEXT: "a text {each}",
}
_EACH = {"data": "an image", "text": "a text", "speech": "a recording"}


def page(
    course: Course,
    found: Sequence[Advice],
    pictures: Mapping[int, str],
    heated: Mapping[tuple[int, str], str] | None = None,
) -> str:
    """The report; `pictures` are `data:` addresses of the mistakes, by number of the image.

    `heated` are those of their explanations, by number and method.

    Names of classes and files are other people's: all that is put in is escaped.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kubefit_trainer.evaluation", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figure": _figure, "words": _words}
    evaluation = course.evaluation
    return environment.get_template("page.html").render(
        course=course,
        evaluation=evaluation,
        kind=_kind(course.recipe),
        advice=found,
        curves=plots.curves(course.logs),
        classes=_listed(evaluation) if evaluation else [],
        largest=_largest_cell(evaluation),
        reliability=evaluation
        and evaluation.calibration
        and plots.reliability(evaluation.calibration),
        pictures=pictures,
        heated=heated or {},
        explained=_explained(evaluation),
        recipe=yaml.safe_dump(
            course.recipe.model_dump(mode="json", by_alias=True, exclude_none=True),
            sort_keys=False,
        ),
        plot=plots,
    )


def _kind(recipe: Recipe) -> str:
    each = _EACH[recipe.subject]
    if recipe.writes:
        return f"a text for {each}"
    return _OF_KIND[recipe.samples.labels].format(each=each)


_METHODS = {
    Explanation.GRAD_CAM: "Grad-CAM",
    Explanation.INTEGRATED_GRADIENTS: "integrated gradients",
}


def _explained(evaluation: Evaluation | None) -> dict[int, list[tuple[str, str]]]:
    """Method and sentence of each explanation, by number of the image."""
    found: dict[int, list[tuple[str, str]]] = {}
    for one in evaluation.explained if evaluation else []:
        text = f"{_METHODS[one.method]}: what speaks for {one.answer}"
        if one.gap is not None:
            share = "complete" if one.complete else "not complete"
            text += f" ({share}, the sum is off by {one.gap:.1%})"
        found.setdefault(one.sample, []).append((one.method.value, text))
    return found


def _listed(evaluation: Evaluation) -> list[ClassScores]:
    if len(evaluation.classes) <= _CLASSES:
        return evaluation.classes
    return sorted(evaluation.classes, key=lambda scores: scores.f1)[:_CLASSES]


def _largest_cell(evaluation: Evaluation | None) -> int:
    if evaluation is None or evaluation.matrix is None:
        return 1
    return max(1, *(max(row) for row in evaluation.matrix))


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _words(name: str) -> str:
    """`exactMatch` as `exact match`; `top3Accuracy` as `top 3 accuracy`."""
    letters = []
    for before, letter in zip(" " + name, name, strict=False):
        if letter.isupper() or (letter.isdigit() and not before.isdigit()):
            letters.append(" ")
        letters.append(letter.lower())
    return "".join(letters).strip()
