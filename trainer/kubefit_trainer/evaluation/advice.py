"""Advice from a training's own numbers: why it is not better, why it is slow, whether it overfits.

`RULES` is the whole of it: for each question, the first rule whose observation holds gives the
advice. Rules see the numbers of a `Course` only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from kubefit_trainer.evaluation import observations, remedies
from kubefit_trainer.evaluation.course import Course


class Question(StrEnum):
    """What people ask after a training."""

    ACCURACY = "Why is it not more accurate?"
    OVERFITTING = "Does it overfit?"
    SPEED = "Why is it slow?"


@dataclass(frozen=True, slots=True)
class Advice:
    """The answer to a question."""

    question: Question
    seen: str
    """What the numbers are, a sentence; plain text, in which names of others may be."""
    do: str
    """What to change, a sentence of Markdown."""


@dataclass(frozen=True, slots=True)
class Rule:
    """An observation, and what to do about it."""

    question: Question
    seen: Callable[[Course], str | None]
    """The observation with its numbers; None where it does not hold."""
    do: Callable[[Course], str]


def advice(course: Course) -> list[Advice]:
    """At most one answer to each question, none to a question that need not be asked."""
    found = []
    for question in Question:
        for rule in RULES:
            seen = rule.seen(course) if rule.question is question else None
            if seen is not None:
                found.append(Advice(question, seen, rule.do(course)))
                break
    return found


RULES = (
    Rule(Question.ACCURACY, observations.not_finite, remedies.lower_rate),
    Rule(Question.ACCURACY, observations.rising, remedies.lower_rate),
    Rule(Question.ACCURACY, observations.no_better_than_chance, remedies.find_rate),
    Rule(Question.ACCURACY, observations.writes_nothing, remedies.find_rate),
    Rule(Question.ACCURACY, observations.explains_nothing, remedies.find_rate),
    Rule(Question.ACCURACY, observations.still_falling, remedies.train_longer),
    Rule(Question.ACCURACY, observations.hardly_trained, remedies.train_longer),
    Rule(Question.ACCURACY, observations.one_confusion, remedies.look_at_both),
    Rule(Question.ACCURACY, observations.underfits, remedies.larger_network),
    Rule(Question.OVERFITTING, observations.overfits, remedies.regularise),
    Rule(Question.SPEED, observations.starved, remedies.feed),
    Rule(Question.SPEED, observations.talkative, remedies.talk_less),
)
"""The rules of each question, in the order in which they are asked."""


_PLAIN = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\n": " ", **{sign: f"\\{sign}" for sign in "\\`*[]"}}
)


def page(found: Sequence[Advice]) -> str:
    """`report/advice.md`, in which names of others are shown as they are."""
    if not found:
        return "# Advice\n\nNothing in the numbers of this training asks for a change.\n"
    parts = [f"## {one.question}\n\n{one.seen.translate(_PLAIN)} {one.do}\n" for one in found]
    return "# Advice\n\n" + "\n".join(parts)
