"""What a document of Kubeflow does not tell, and what comes of it."""

from dataclasses import dataclass
from typing import Any

from kubefit.api.names import API_VERSION, KIND
from kubefit.api.v1alpha1 import Runtime
from kubefit.convert.fields import Fields, Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a person knows besides the document."""

    claim: str | None = None
    """`spec.storage.claim`."""
    image: str | None = None
    """`spec.image`, in place of the document's."""
    script: str | None = None
    """`spec.script.path`, where the document does not tell the program."""
    runtime: Runtime | None = None
    """`spec.script.runtime`."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """A TrainingJob, and what a person has to know of it."""

    job: dict[str, Any]
    notes: tuple[Note, ...]


def conversion(
    fields: Fields, metadata: dict[str, Any], spec: dict[str, Any], of_pods: dict[str, Any]
) -> Conversion:
    """The TrainingJob without what is empty, and the notes with one for all that nobody took."""
    fields.tell_what_is_left()
    template = {"metadata": of_pods, **spec["podTemplate"]}
    spec["podTemplate"] = {name: part for name, part in template.items() if part}
    kept = {name: value for name, value in spec.items() if value not in (None, {}, [])}
    job = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": kept}
    return Conversion(job, tuple(fields.notes))
