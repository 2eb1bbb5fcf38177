"""`spec.tensorboard.histograms` and `.profile`: what training writes for TensorBoard on request."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from kubefit.api.base import Model, rule

_LONGEST_PROFILE = 100
_ORDER = "steps has a first step that is after the last one; write [first, last]"
_TOO_MANY = (
    f"steps are more than {_LONGEST_PROFILE}, a profile too large to be shown; ten tell as much"
)


class Histograms(Model):
    """Histograms of every weight that is trained, written by the chief."""

    every_epochs: Annotated[int, Field(ge=1)] = 1
    """Epochs between two of them; `5` is after epochs 5, 10, and so on."""


class Profile(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [
            rule("self.steps[0] <= self.steps[1]", _ORDER),
            rule(f"self.steps[1] - self.steps[0] < {_LONGEST_PROFILE}", _TOO_MANY),
        ]
    },
):
    """A trace of what the chief's processors do in some steps."""

    steps: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=2, max_length=2)]
    """First and last step, counted from 1 over all epochs; `[10, 19]` are ten steps."""

    @model_validator(mode="after")
    def _few(self) -> Self:
        first, last = self.steps
        if first > last:
            raise ValueError(_ORDER)
        if last - first >= _LONGEST_PROFILE:
            raise ValueError(_TOO_MANY)
        return self
