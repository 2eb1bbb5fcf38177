"""What a sweep's file says: the only place where its fields are written."""

import math
import re
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from kubefit.api.base import Model
from kubefit.api.names import MAX_NAME_LENGTH, NAME_PATTERN

MAX_TRIALS = 1000
_LARGEST = 2**53
"""Whole numbers until here are numbers of JSON in any language."""
_MAX_NAME = MAX_NAME_LENGTH - len(f"-{MAX_TRIALS}")


class Goal(StrEnum):
    """Which way the objective gets better."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"


class Take(StrEnum):
    """Which epoch a trial is judged by at its end."""

    LAST = "last"
    """That of the model which is kept, unless early stopping restores the best weights."""
    BEST = "best"


class Objective(Model):
    """What makes one trial better than another."""

    metric: Annotated[str, Field(pattern=r"^[^\s=]+$", max_length=253)]
    """A name of the line of each epoch: `val_accuracy`, `val_loss`, ..."""
    goal: Goal
    """`maximize` or `minimize`."""
    take: Take = Take.LAST
    """`last` or `best` epoch."""


class Bounds(Model):
    """A range of numbers."""

    min: Annotated[float, Field(allow_inf_nan=False)]
    max: Annotated[float, Field(allow_inf_nan=False)]
    points: Annotated[int, Field(ge=2, le=MAX_TRIALS)] | None = None
    """How many values a grid takes of it, both ends among them."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min >= self.max:
            raise ValueError(f"min {self.min:g} is not less than max {self.max:g}")
        return self


class WholeBounds(Model):
    """A range of whole numbers, both ends among them."""

    min: Annotated[int, Field(ge=-_LARGEST, le=_LARGEST)]
    max: Annotated[int, Field(ge=-_LARGEST, le=_LARGEST)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min >= self.max:
            raise ValueError(f"min {self.min} is not less than max {self.max}")
        return self


_KINDS = ("values", "log", "linear", "integer")


class Parameter(Model):
    """A field of the job that the trials set."""

    path: Annotated[str, Field(max_length=253)]
    """Its path: `spec.recipe.training.phases[0].learningRate`."""
    values: Annotated[list[Any], Field(min_length=1, max_length=MAX_TRIALS)] | None = None
    """These, one after the other in a grid, each as likely in a random search."""
    log: Bounds | None = None
    """A number; each order of magnitude is as likely."""
    linear: Bounds | None = None
    """A number; each is as likely."""
    integer: WholeBounds | None = None
    """A whole number; each is as likely, and a grid takes all."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(getattr(self, kind) is not None for kind in _KINDS) != 1:
            raise ValueError(f"set exactly one of {', '.join(_KINDS)}")
        texts = [repr(value) for value in self.values or ()]
        if len(set(texts)) < len(texts):
            raise ValueError("values: one of them is there twice")
        if self.log is not None and self.log.min <= 0:
            raise ValueError(f"log.min: {self.log.min:g} is not more than 0")
        return self

    @property
    def label(self) -> str:
        """`phases[0].learningRate` becomes `learningRate`: the last name, and its index."""
        match = re.search(r"[^.]+$", self.path)
        return match[0] if match else self.path


class Search(StrEnum):
    """How values are chosen."""

    GRID = "grid"
    """All combinations."""
    RANDOM = "random"
    """Each trial draws its own; those drawn already stay when there are more trials."""


class Rule(StrEnum):
    """Which trials are stopped before their end."""

    NONE = "none"
    MEDIAN = "median"
    """Those whose best epoch so far is worse than the median of the others' means until then."""
    HALVING = "halving"
    """All but one of `factor`, after `after`, `after * factor`, `after * factor**2`, ... epochs."""


class Stopping(Model):
    """Stops trials that lose, so that others take their place."""

    rule: Rule = Rule.NONE
    after: Annotated[int, Field(ge=1)] = 1
    """Epochs that every trial gets."""
    factor: Annotated[int, Field(ge=2, le=16)] = 3
    """For halving: one of so many trials goes on."""


class SweepSpec(Model):
    """What is tried, how, and what counts."""

    parameters: Annotated[list[Parameter], Field(min_length=1, max_length=32)]
    search: Search = Search.RANDOM
    trials: Annotated[int, Field(ge=1, le=MAX_TRIALS)] | None = None
    """How many trials a random search makes; a grid has as many as combinations."""
    parallel: Annotated[int, Field(ge=1, le=MAX_TRIALS)] = 1
    """How many run at a time."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the values that a random search draws; not of the training."""
    objective: Objective
    stopping: Stopping = Stopping()
    max_failed: Annotated[int, Field(ge=0)] = 3
    """No more trials are started once more than so many have failed."""
    job: dict[str, Any]
    """The TrainingJob, with `spec` and, where wanted, `metadata.labels` and annotations."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        paths = [parameter.path for parameter in self.parameters]
        twice = next((path for path in paths if paths.count(path) > 1), None)
        if twice:
            raise ValueError(f"parameters: {twice} is there twice")
        if self.search is Search.RANDOM and self.trials is None:
            raise ValueError("trials: a random search needs their number; or set search: grid")
        if self.search is Search.GRID:
            self._check_grid()
        return self

    def _check_grid(self) -> None:
        sizes = []
        for number, parameter in enumerate(self.parameters):
            bounds = parameter.log or parameter.linear
            if bounds is not None and bounds.points is None:
                kind = "log" if parameter.log else "linear"
                raise ValueError(f"parameters[{number}].{kind}.points: a grid needs their number")
            whole = parameter.integer
            count = len(parameter.values or ())
            count = whole.max - whole.min + 1 if whole else count
            sizes.append(bounds.points or 0 if bounds else count)
        if math.prod(sizes) > MAX_TRIALS:
            raise ValueError(
                f"parameters: a grid of {math.prod(sizes)} trials is more than {MAX_TRIALS};"
                " take fewer values, or search: random"
            )
        if self.trials is not None and self.trials != math.prod(sizes):
            raise ValueError(
                f"trials: a grid of these parameters has {math.prod(sizes)}, not {self.trials};"
                " leave it out, or set search: random"
            )


class SweepMeta(Model):
    """The sweep's name; its trials are called `<name>-<number>`."""

    name: str
    namespace: str | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.name) > _MAX_NAME or not re.fullmatch(NAME_PATTERN, self.name):
            raise ValueError(
                f"name: {self.name!r} is not a name of at most {_MAX_NAME} lower-case letters,"
                " digits and '-', starting with a letter"
            )
        return self


class Sweep(Model):
    """A file with a sweep; it looks like an object of Kubernetes and is none."""

    api_version: Literal["kubefit.dev/v1alpha1"]
    kind: Literal["Sweep"]
    metadata: SweepMeta
    spec: SweepSpec
