"""`spec.initialWeights`: weights of an earlier training that a new one starts from."""

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from kubefit.api.base import Model, rule
from kubefit.api.names import MAX_NAME_LENGTH

_ONE_ORIGIN = "set exactly one of job and path"


class InitialWeights(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [rule("has(self.job) != has(self.path)", _ONE_ORIGIN)]
    },
):
    """Weights that training starts from; what the job itself has reached wins over them.

    Optimizer, steps and epochs begin anew.
    """

    job: (
        Annotated[str, Field(pattern="^[a-z][-a-z0-9]*$", max_length=MAX_NAME_LENGTH)]
        | SkipJsonSchema[None]
    ) = None
    """Another job of the namespace on the same volume: its newest checkpoint, else its export."""
    path: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """A checkpoint (`.npz`), a `.keras` or `.weights.h5` file, or a folder of checkpoints or of a
    job; on the job's volume, relative to its root, or in one of `spec.volumes`."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.job is None) == (self.path is None):
            raise ValueError(_ONE_ORIGIN)
        return self
