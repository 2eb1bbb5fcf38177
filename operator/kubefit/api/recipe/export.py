"""`spec.recipe.export`: in which formats the trained model is written."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from kubefit.api.base import Model, rule


class ExportFormat(StrEnum):
    """A format of trained models."""

    KERAS = "keras"
    """`model.keras`, for Keras; written whether it is named or not."""
    SAVED_MODEL = "savedModel"
    """`saved_model/1`, for TensorFlow Serving and KServe; takes raw uint8 images."""
    LITERT = "litert"
    """`model.tflite`, for phones and small devices."""
    ONNX = "onnx"
    """`model.onnx`, for ONNX Runtime and whatever else reads it."""


_TWICE = "each format may be named once"


class Export(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [
            rule("self.formats.all(f, self.formats.filter(g, g == f).size() == 1)", _TWICE)
        ]
    },
):
    """The trained model on the volume, each format compared with it by a process of its own."""

    formats: Annotated[list[ExportFormat], Field(min_length=1, max_length=len(ExportFormat))] = [
        ExportFormat.KERAS,
        ExportFormat.SAVED_MODEL,
    ]
    """Formats to write. `litert` and `onnx` need packages that the image may lack.

    A format that cannot be written is a warning; the job succeeds, and the model is there.
    """

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.formats)) != len(self.formats):
            raise ValueError(_TWICE)
        return self
