"""What a training came to, written by the chief: figures, a page for people, and advice."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as filled_with
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from kubefit.api.recipe import Recipe
from kubefit.api.version import __version__
from kubefit_trainer import report as files
from kubefit_trainer.evaluation import advice, judging, page, pictures
from kubefit_trainer.evaluation.course import Course, chance_of
from kubefit_trainer.evaluation.findings import Evaluation, Mistake
from kubefit_trainer.export import card
from kubefit_trainer.export.formats import Exported
from kubefit_trainer.images.decode import Pixels
from kubefit_trainer.recipe import digest, explaining, modality, predictions, summaries
from kubefit_trainer.recipe.explaining import Explanations
from kubefit_trainer.recipe.labelled import Chosen, Inputs, Labelled
from kubefit_trainer.recipe.pairs import judging as texts
from kubefit_trainer.recipe.pairs.source import Pairs
from kubefit_trainer.recipe.predictions import Predictions
from kubefit_trainer.recipe.waiting import Waiting

FIGURES, PAGE, ADVICE = "evaluation.json", "index.html", "advice.md"
_WARNINGS, _WARNING = 8, 500
"""Warnings, and characters of one, that are told besides the log."""


def with_warning(warnings: Sequence[str], text: str) -> list[str]:
    """Another one, cut, if there are few: last words have room for little else."""
    cut = text if len(text) <= _WARNING else f"{text[: _WARNING - 1]}…"
    return [*warnings, cut][:_WARNINGS]


def write_or_warn(
    folder: Path, warn: Callable[[str], None], *, export: Path | None = None, **given: Any
) -> None:
    """What `write` does, any error a warning: the model is there, which a job is for.

    With the model card, where there is a folder with exports; it does not need the report.
    """

    def judged(course: Course) -> None:
        if export is None:
            return
        try:
            write_card(export / card.FILE, course, given["inputs"], given["volume"])
        except Exception as error:
            warn(f"there is no model card: {type(error).__name__}: {error}")

    try:
        write(folder, judged=judged, **given)
    except Exception as error:
        warn(f"there is no report: {type(error).__name__}: {error}")


def write_card(path: Path, course: Course, inputs: Inputs, volume: Path) -> None:
    """Writes what the model is, where it comes from and how it is loaded."""
    train = inputs.train
    origin = card.Origin(
        classes=train.source.classes,
        trained_on=len(train.samples),
        digest=digest.of(train, course.recipe.samples.train, volume),
        versions={
            "kubefit": __version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
        },
    )
    files.write_text(path, card.card(course, origin))


def write(
    folder: Path,
    *,
    job: str,
    workers: int,
    recipe: Recipe,
    inputs: Inputs,
    volume: Path,
    logs: Mapping[str, Sequence[float]],
    waiting: Waiting,
    loss: float,
    predicted: Predictions | None,
    exported: Sequence[Exported] = (),
    model: keras.Model | None = None,
    explained_at_once: int = 8,
    tensorboard: Path | None = None,
    judged: Callable[[Course], None] = lambda course: None,
) -> None:
    """Writes all files of the report; each appears whole or not at all.

    Without predictions there are no figures. `loss` is that of the evaluation. The `model` explains
    its mistakes, so many images at once as there is memory for; figures in pictures go to the
    folder `tensorboard`. `judged` is given all of it before anything is written.
    """
    train, held, chosen = inputs.train, inputs.validation, inputs.evaluation
    evaluation, shown, unjudged = None, Shown(), ""
    if chosen is not None and predicted is None:
        unjudged = predictions.too_many(chosen, recipe)
    elif chosen is not None and predicted is not None:
        split = "validation" if chosen is held else "test"
        evaluation = _judged(predicted, chosen.source, recipe, split, volume=volume, loss=loss)
        shown = _shown(evaluation, chosen, recipe, model, explained_at_once)
        evaluation = evaluation.model_copy(
            update={"explained": shown.why.told, "unexplained": shown.why.unexplained}
        )
    course = Course(
        job=job,
        recipe=recipe,
        workers=workers,
        logs=logs,
        chance=None
        if recipe.writes
        else chance_of(train.source.labels[train.samples], recipe.samples.labels),
        validation_images=len(held.samples) if held is not None else 0,
        evaluation=evaluation,
        unjudged=unjudged,
        data_share=waiting.data,
        exchange_share=waiting.exchange,
        exported=exported,
    )
    judged(course)
    found = advice.advice(course)
    folder.mkdir(parents=True, exist_ok=True)
    if evaluation is not None:
        files.write(folder / FIGURES, evaluation, indent=2)
    files.write_text(folder / PAGE, page.page(course, found, *shown.addresses()))
    files.write_text(folder / ADVICE, advice.page(found))
    if tensorboard is not None and evaluation is not None:
        step = len(next(iter(logs.values()), []))
        try:
            summaries.write(tensorboard, evaluation, shown.of_mistakes(evaluation), step=step)
        except (OSError, tf.errors.OpError) as error:
            text = str(error).splitlines()[0]
            print(f"no pictures are written for TensorBoard: {text}", flush=True)


def _judged(
    predicted: Predictions,
    source: Labelled,
    recipe: Recipe,
    split: str,
    *,
    volume: Path,
    loss: float,
) -> Evaluation:
    def name(sample: int) -> str:
        return source.name(sample).replace(f"{volume}/", "")

    if isinstance(source, Pairs) and recipe.text is not None:
        return texts.judged(predicted, source, recipe.text, split=split, name=name, loss=loss)
    return judging.judged(
        source.truth(predicted.samples),
        predicted.outputs,
        kind=recipe.samples.labels,
        classes=source.classes,
        split=split,
        samples=predicted.samples,
        name=name,
        loss=loss,
    )


@dataclass(frozen=True)
class Shown:
    """Pictures of the worst mistakes as the network sees them, and of the reasons for them."""

    pixels: dict[int, Pixels] = filled_with(default_factory=dict)
    why: Explanations = filled_with(default_factory=Explanations)

    @cached_property
    def heated(self) -> dict[tuple[int, str], Pixels]:
        """Pictures with the places of the reasons, by number of the image and method."""
        return {
            (sample, method.value): pictures.heated(self.pixels[sample], heat)
            for (sample, method), heat in self.why.heat.items()
        }

    def of_mistakes(self, evaluation: Evaluation) -> list[tuple[Mistake, list[Pixels]]]:
        """Mistakes with the pictures that there are of them."""
        return [
            (
                mistake,
                [
                    self.pixels[mistake.sample],
                    *(one for (sample, _), one in self.heated.items() if sample == mistake.sample),
                ],
            )
            for mistake in evaluation.mistakes
            if mistake.sample in self.pixels
        ]

    def addresses(self) -> tuple[dict[int, str], dict[tuple[int, str], str]]:
        """Both as `data:` addresses."""
        plain = {sample: pictures.data_uri(one) for sample, one in self.pixels.items()}
        return plain, {key: pictures.data_uri(one) for key, one in self.heated.items()}


def _shown(
    evaluation: Evaluation,
    chosen: Chosen,
    recipe: Recipe,
    model: keras.Model | None,
    at_once: int,
) -> Shown:
    """Of mistakes that can be shown in pictures, and still be read."""
    kind = modality.of(recipe)
    found: dict[int, Pixels] = {}
    for mistake in evaluation.mistakes:
        pixels = kind.shown(chosen.source, mistake.sample)
        if pixels is not None:
            found[mistake.sample] = pixels
    if model is None or not found:
        return Shown(found)
    labels, methods = recipe.samples.labels, recipe.report.explain
    try:
        why = explaining.explained(model, found, chosen.source, labels, methods, at_once=at_once)
    except Exception as error:
        text = f"The mistakes are not explained: {type(error).__name__}: {error}"
        why = Explanations(unexplained=" ".join(text.split())[:_WARNING])
    return Shown(found, why)
