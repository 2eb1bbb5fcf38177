"""`spec.recipe.report`: what the report shows beside its figures."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from kubefit.api.base import Model, rule


class Explanation(StrEnum):
    """How the report shows where in an image the reasons for a mistake lie."""

    GRAD_CAM = "gradCam"
    """Places of the last map of the network; one pass for each of the worst mistakes."""
    INTEGRATED_GRADIENTS = "integratedGradients"
    """Single pixels, checked for completeness; 32 to 512 passes for each of the eight worst."""


_TWICE = "each explanation may be named once"


class Report(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [
            rule("self.explain.all(e, self.explain.filter(g, g == e).size() == 1)", _TWICE)
        ]
    },
):
    """The report of a training."""

    explain: Annotated[list[Explanation], Field(max_length=len(Explanation))] = [
        Explanation.GRAD_CAM
    ]
    """What is shown beside the worst mistakes; an empty list for nothing."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.explain)) != len(self.explain):
            raise ValueError(_TWICE)
        return self
