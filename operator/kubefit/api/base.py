"""The pydantic base and the scalar types shared by every model of the API.

Nothing here knows what a TrainingJob is.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """Immutable, camelCase on the wire, unknown fields refused, described by its docstrings."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )


_QUANTITY = r"^([0-9]+|[0-9]*\.[0-9]+|[0-9]+\.)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$"
"""Quantities as the API server reads them, without a sign."""


def _is_quantity(value: int | str) -> int | str:
    if not re.fullmatch(_QUANTITY, str(value)):
        raise ValueError(f"{value!r} is not a quantity such as 2, 500m or 4Gi")
    return value


Quantity = Annotated[
    int | str,
    AfterValidator(_is_quantity),
    WithJsonSchema({"x-kubernetes-int-or-string": True, "pattern": _QUANTITY}),
]
"""A Kubernetes resource quantity: `2`, `500m`, `4Gi`."""

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
"""A number between 0 and 1."""

FreeForm = Annotated[
    dict[str, object],
    WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
]
"""Part of a Kubernetes object that is passed on as it is."""


def rule(cel: str, message: str) -> dict[str, str]:
    """One CEL rule of `x-kubernetes-validations`; `message` is what `kubectl apply` prints."""
    return {"rule": cel, "message": message}
