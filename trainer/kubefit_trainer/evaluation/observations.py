"""What the numbers of a training show, a sentence with them each; None where it does not hold."""

import math

from kubefit.api.recipe import LabelKind
from kubefit_trainer.evaluation.course import Course

GOOD = 0.95
"""Accuracy (or share of variance) from which on nobody asks for more of it."""
_RISEN = 1.2
"""A loss so many times its lowest has risen."""
_STILL_FALLING = 0.05
"""Relative fall of the loss over the last quarter of the epochs."""
_OVER_CHANCE = 0.03
_EPOCHS = 3
"""After fewer, nothing shows whether the network still learns."""
_GAP = 0.05
"""Accuracy of training above that of validation."""
_WORSENED = 1.1
"""A validation loss so many times its lowest has worsened."""
_WAITING = 0.2
"""Share of time that is worth a change."""
_OF_MISTAKES = 0.5


def not_finite(course: Course) -> str | None:
    """The loss is no number."""
    for epoch, loss in enumerate(course.loss, 1):
        if not math.isfinite(loss):
            return f"The training loss is no finite number from epoch {epoch} on."
    return None


def rising(course: Course) -> str | None:
    """The loss of training has gone up."""
    losses = course.loss
    # Near zero a loss wavers by more than that.
    if _is_good(course) or len(losses) < 2 or losses[-1] <= _RISEN * min(losses):
        return None
    lowest = min(losses)
    return (
        f"The training loss has risen from {lowest:.4g} in epoch {losses.index(lowest) + 1} to"
        f" {losses[-1]:.4g} in the last."
    )


def no_better_than_chance(course: Course) -> str | None:
    """Nothing was learned."""
    accuracy = course.last("accuracy")
    if accuracy is None or course.chance is None or accuracy > course.chance + _OVER_CHANCE:
        return None
    if _mixes_labels(course):
        return None
    return (
        f"The accuracy on the training {course.recipe.kind} is {accuracy:.1%}; always giving the"
        f" most frequent answer has {course.chance:.1%}."
    )


def writes_nothing(course: Course) -> str | None:
    """Nothing was learned of transcripts."""
    wrong = course.last("character_error_rate")
    if wrong is None or wrong < 1.0 - _OVER_CHANCE:
        return None
    return (
        f"The character error rate on the training {course.recipe.kind} is {wrong:.1%}; writing"
        " nothing at all has 100.0%."
    )


def explains_nothing(course: Course) -> str | None:
    """Nothing was learned of numbers."""
    quality = course.quality
    regression = course.recipe.samples.labels is LabelKind.REGRESSION
    if not regression or quality is None or quality > _OVER_CHANCE:
        return None
    return (
        "The predictions are no better than the mean of the numbers: they explain"
        f" {max(0.0, quality):.1%} of the variance."
    )


def still_falling(course: Course) -> str | None:
    """Training ended too early."""
    if not _has_room(course) or overfits(course):
        return None
    losses = list(course.logs.get("val_loss", course.loss))
    quarter = max(2, len(losses) // 4)
    if len(losses) <= quarter or not all(map(math.isfinite, losses)):
        return None
    before, now = min(losses[:-quarter]), min(losses[-quarter:])
    if now >= before * (1.0 - _STILL_FALLING):
        return None
    whose = "validation" if "val_loss" in course.logs else "training"
    return (
        f"The {whose} loss was still falling when training ended: {before:.4g} before the last"
        f" {quarter} epochs, {now:.4g} within them."
    )


def hardly_trained(course: Course) -> str | None:
    """There were too few epochs to tell more."""
    epochs = len(course.loss)
    if not 1 <= epochs < _EPOCHS or not _has_room(course) or overfits(course):
        return None
    return f"Training was over after {epochs} epoch{'s' if epochs > 1 else ''}."


def one_confusion(course: Course) -> str | None:
    """Two classes make up most of the mistakes."""
    found = course.evaluation
    if found is None or not found.confusions or len(found.classes) < 3:
        return None
    if not _has_room(course) or overfits(course):
        return None
    by_pair: dict[frozenset[str], int] = {}
    for confusion in found.confusions:
        pair = frozenset((confusion.actual, confusion.predicted))
        by_pair[pair] = by_pair.get(pair, 0) + confusion.images
    pair, images = max(by_pair.items(), key=lambda item: item[1])
    mistakes = round(found.images * (1.0 - (found.metrics["accuracy"] or 0.0)))
    if images < max(5, _OF_MISTAKES * mistakes):
        return None
    one, other = sorted(pair)
    return f"{images} of the {mistakes} mistakes take {one} for {other} or the other way round."


def underfits(course: Course) -> str | None:
    """Not even what was trained on is known."""
    accuracy = course.last("accuracy")
    if not _has_room(course) or overfits(course) or accuracy is None or accuracy >= GOOD:
        return None
    if _mixes_labels(course):
        return None
    return (
        f"The accuracy is {accuracy:.1%} even on the {course.recipe.kind} that the model was"
        " trained on, and no longer rises."
    )


def overfits(course: Course) -> str | None:
    """What was trained on is known far better than the rest."""
    without = course.recipe.samples.labels in (LabelKind.REGRESSION, LabelKind.TEXT)
    return _error_gap(course) if without else _accuracy_gap(course)


def _accuracy_gap(course: Course) -> str | None:
    training, held = course.last("accuracy"), course.last("val_accuracy")
    if training is None or held is None:
        return None
    # So far two accuracies may differ by chance alone.
    noise = 2.0 * math.sqrt(max(0.0, held * (1.0 - held)) / max(1, course.validation_images))
    if training - held < max(_GAP, noise):
        return None
    return (
        f"The accuracy is {training:.1%} on the training {course.recipe.kind} and {held:.1%} on the"
        f" {course.validation_images} held out."
    )


def _error_gap(course: Course) -> str | None:
    training, held = course.last("loss"), course.last("val_loss")
    if training is None or held is None:
        return None
    lowest = min(value for value in course.logs["val_loss"] if math.isfinite(value))
    if held < _WORSENED * lowest or held < _RISEN * training:
        return None
    return (
        f"The loss on held-out {course.recipe.kind} has risen from {lowest:.4g} to {held:.4g},"
        f" while that of training is {training:.4g}."
    )


def starved(course: Course) -> str | None:
    """Steps waited for data."""
    share = course.data_share
    if share is None or share < _WAITING:
        return None
    return f"Steps waited for {course.recipe.kind} during {share:.0%} of the time of training."


def talkative(course: Course) -> str | None:
    """Steps waited for gradients."""
    share = course.exchange_share
    if share is None or share < _WAITING or course.workers < 2:
        return None
    return f"Steps waited for the gradients of other workers during {share:.0%} of the time."


def _has_room(course: Course) -> bool:
    return course.quality is not None and course.quality < GOOD


def _is_good(course: Course) -> bool:
    return course.quality is not None and course.quality >= GOOD


def _mixes_labels(course: Course) -> bool:
    """Whether training images are of two classes, so that no network has all of them right.

    Smoothing leaves the right class the largest share.
    """
    spec = course.recipe.augmentation
    return bool(spec.mix_up or spec.cut_mix)
