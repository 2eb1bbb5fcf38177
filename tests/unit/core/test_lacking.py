"""What a definition of TrainingJob lacks that is older than the operator."""

import copy
from typing import Any

import pytest

from kubefit.api import names
from kubefit.core.definition import lacking, too_old
from kubefit.generate.crd import resource_schema

GVK = {"group": names.GROUP, "kind": names.KIND, "version": names.VERSION}


def published(**changes: Any) -> dict[str, Any]:
    """As the API server publishes the definition of this version, with schemas changed by path."""
    schema = {**copy.deepcopy(resource_schema()), "x-kubernetes-group-version-kind": [GVK]}
    for path, change in changes.items():
        *parents, last = path.split("__")
        inner = schema
        for part in parents:
            inner = inner[part] if part == "items" else inner["properties"][part]
        if change is None:
            del inner["properties"][last]
        else:
            inner["properties"][last] |= change
    other = {"type": "object", "x-kubernetes-group-version-kind": [{**GVK, "kind": "Other"}]}
    return {"components": {"schemas": {"other": other, "job": schema}}}


def test_the_definition_of_its_own_version_lacks_nothing() -> None:
    assert lacking(published()) == ()


def test_a_newer_definition_lacks_nothing() -> None:
    newer = {"properties": {"later": {"type": "string"}}}
    document = published()
    document["components"]["schemas"]["job"]["properties"]["spec"]["properties"]["later"] = newer
    assert lacking(document) == ()


@pytest.mark.parametrize(
    ("path", "change", "named"),
    [
        ("spec__workers", None, "spec.workers"),
        ("spec__runPolicy__maxRestarts", None, "spec.runPolicy.maxRestarts"),
        ("status__progress", None, "status.progress"),
        ("status__phase", {"enum": ["Pending"]}, "status.phase=Running"),
        ("status__conditions__items__reason", None, "status.conditions[].reason"),
    ],
)
def test_a_field_or_value_that_is_missing_is_named(path, change, named) -> None:
    assert named in lacking(published(**{path: change}))


def test_a_group_that_is_missing_is_named_and_not_each_of_its_fields() -> None:
    assert lacking(published(spec__recipe=None)) == ("spec.recipe",)


def test_the_sentence_names_some_and_what_to_do() -> None:
    sentence = too_old(("spec.a", "spec.b", "spec.c", "status.d", "status.e"))
    assert "it lacks spec.a, spec.b, spec.c and 2 more: upgrade it" in sentence
    assert "1 more" in too_old(("spec.a", "spec.b", "spec.c", "status.d"))
    assert "it lacks spec.a: upgrade it" in too_old(("spec.a",))
