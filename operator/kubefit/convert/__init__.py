"""Manifests of Kubeflow as TrainingJobs; pure functions of one document.

Nothing of a document is dropped without a word: each field is taken over, told in a note, or
known to say nothing of the job.
"""

from typing import Any

from pydantic import ValidationError

from kubefit.api.errors import explain, read_job
from kubefit.convert import tfjob, trainjob
from kubefit.convert.conversion import Conversion, Given
from kubefit.convert.fields import Note, UnconvertibleError

__all__ = ["Conversion", "Given", "Note", "UnconvertibleError", "can_convert", "convert"]

_KINDS = {
    ("kubeflow.org", "TFJob"): tfjob.convert,
    ("trainer.kubeflow.org", "TrainJob"): trainjob.convert,
}


def can_convert(document: object) -> bool:
    """Whether the document is of a kind that can be converted."""
    return _kind(document) in _KINDS


def convert(document: dict[str, Any], given: Given) -> Conversion:
    """The TrainingJob of a document of Kubeflow, which is valid.

    Raises:
        UnconvertibleError: none can be made; one sentence with the path of the field.

    """
    found = _KINDS[_kind(document)](document, given)
    try:
        read_job(found.job)
    except ValidationError as error:
        fault = "; ".join(explain(error))
        raise UnconvertibleError(f"the TrainingJob would not be valid: {fault}") from error
    return found


def _kind(document: object) -> tuple[str, str]:
    if not isinstance(document, dict):
        return "", ""
    group = str(document.get("apiVersion")).partition("/")[0]
    return group, str(document.get("kind"))
