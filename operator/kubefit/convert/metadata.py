"""From the metadata of a document to those of a TrainingJob."""

import re
from typing import Any

from kubefit.api.names import MAX_NAME_LENGTH, NAME_PATTERN
from kubefit.convert.fields import Fields

_OF_SERVER = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
"""Written by the API server; they say nothing of the job."""
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def of_document(document: Fields) -> tuple[dict[str, Any], dict[str, str]]:
    """`metadata` of the TrainingJob, and its new name by the old one.

    The kind of the document, and what the API server wrote, are left out.

    Raises:
        UnconvertibleError: the document has no name.

    """
    for name in ("apiVersion", "kind", "status"):
        document.take(name)
    metadata = document.part("metadata")
    forget_server(metadata)
    old = str(metadata.left.get("name"))
    found: dict[str, Any] = {"name": _name(metadata)}
    found |= metadata.carry(("namespace",))
    annotations = metadata.part("annotations")
    annotations.take(_LAST_APPLIED)
    kept = {"labels": metadata.part("labels").carry_all(), "annotations": annotations.carry_all()}
    found |= {name: value for name, value in kept.items() if value}
    return found, {old: found["name"]}


def forget_server(metadata: Fields) -> None:
    """Takes what the API server wrote."""
    for name in _OF_SERVER:
        metadata.take(name)


def _name(metadata: Fields) -> str:
    prefix = metadata.text("generateName")
    name = metadata.text("name")
    if not name and not prefix:
        raise metadata.refusal("name", "is required")
    if name:
        field, wanted = "name", name
    else:
        field, wanted = "generateName", prefix.rstrip("-.")
        metadata.note(field, "a TrainingJob has a fixed name, which it goes on under")
    fitting = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).lstrip("-0123456789")
    fitting = fitting[:MAX_NAME_LENGTH].rstrip("-") or "tfjob"
    if re.fullmatch(NAME_PATTERN, wanted) and len(wanted) <= MAX_NAME_LENGTH:
        return wanted
    metadata.note(
        field,
        f"{wanted!r} becomes {fitting!r}: at most {MAX_NAME_LENGTH} lower-case letters, digits"
        " and '-', beginning with a letter",
    )
    return fitting
