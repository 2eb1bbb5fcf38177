"""The CRD of TrainingJob and the other schemas made from the same models."""

import copy
import json
from typing import Any

import jsonschema
import pytest
import yaml

from kubefit.api.errors import read_job
from kubefit.api.v1alpha1 import TrainingJob, TrainingJobSpec
from kubefit.core.desired import digest
from kubefit.generate.chart import crd_template
from kubefit.generate.crd import crd
from kubefit.generate.editor import editor_schema
from kubefit.generate.text import to_yaml

JOB: dict[str, Any] = {
    "apiVersion": "kubefit.dev/v1alpha1",
    "kind": "TrainingJob",
    "metadata": {"name": "digits"},
    "spec": {"storage": {"claim": "data"}, "script": {"path": "/train.py"}},
}


def version() -> dict[str, Any]:
    (only,) = crd()["spec"]["versions"]
    return only


def spec_schema() -> dict[str, Any]:
    return version()["schema"]["openAPIV3Schema"]["properties"]["spec"]


def defaulted(value: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The object as the API server would store it."""
    full = copy.deepcopy(value)
    for name, field in schema["properties"].items():
        if name not in full and "default" in field:
            full[name] = copy.deepcopy(field["default"])
        if name in full and "properties" in field:
            full[name] = defaulted(full[name], field)
    return full


def test_every_default_is_the_one_the_models_have() -> None:
    stored = defaulted(JOB["spec"], spec_schema())
    parsed = TrainingJobSpec.model_validate(JOB["spec"])
    assert stored == parsed.model_dump(by_alias=True, mode="json", exclude_none=True)


def test_defaults_that_a_newer_definition_adds_leave_the_digest_as_it_was() -> None:
    stored = JOB | {"spec": defaulted(JOB["spec"], spec_schema())}
    assert stored["spec"] != JOB["spec"]
    assert digest(read_job(stored)) == digest(read_job(JOB))


def test_rules_may_rely_on_the_keys_of_a_defaulted_object() -> None:
    assert spec_schema()["properties"]["runPolicy"]["default"]["suspend"] is False


def test_a_new_object_has_no_status() -> None:
    status = version()["schema"]["openAPIV3Schema"]["properties"]["status"]
    assert "default" not in status


def test_columns_read_fields_that_exist() -> None:
    schema = version()["schema"]["openAPIV3Schema"]
    for column in version()["additionalPrinterColumns"]:
        if column["jsonPath"].startswith(".metadata"):
            continue
        node = schema
        for name in column["jsonPath"].strip(".").split("."):
            node = node["properties"][name]
        assert node["type"] == column["type"]


def test_the_scale_subresource_reads_fields_that_exist() -> None:
    properties = version()["schema"]["openAPIV3Schema"]["properties"]
    for path in version()["subresources"]["scale"].values():
        part, name = path.strip(".").split(".")
        assert name in properties[part]["properties"]


def test_conditions_are_merged_by_type() -> None:
    status = version()["schema"]["openAPIV3Schema"]["properties"]["status"]
    conditions = status["properties"]["conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]


def test_it_fits_into_the_annotation_of_a_plain_kubectl_apply() -> None:
    assert len(json.dumps(crd())) < 262_144 / 3


def test_text_that_kubectl_reads_as_a_boolean_is_quoted() -> None:
    assert to_yaml({"a": "y", "b": "N", "c": "yes", "d": "yarn"}) == (
        "a: 'y'\nb: 'N'\nc: 'yes'\nd: yarn\n"
    )


def test_the_chart_copy_differs_by_its_guards_only() -> None:
    lines = crd_template().splitlines()
    plain = "\n".join(line for line in lines if "{{" not in line)
    template = yaml.safe_load(plain)
    assert template["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert template == crd()


def refusals(document: dict[str, Any]) -> list[str]:
    validator = jsonschema.Draft202012Validator(editor_schema())
    return [error.json_path for error in validator.iter_errors(document)]


def test_the_editor_schema_is_a_valid_schema_and_accepts_a_job() -> None:
    jsonschema.Draft202012Validator.check_schema(editor_schema())
    assert refusals(JOB) == []
    assert TrainingJob.model_validate(JOB).spec.workers == 1


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"workers": -1}, "$.spec.workers"),
        ({"wrokers": 1}, "$.spec"),
        (
            {"resources": {"limits": {"cpu": "500m", "memory": []}}},
            "$.spec.resources.limits.memory",
        ),
        ({"image": None}, "$.spec.image"),
        ({"tensorboard": {"enabled": "yes"}}, "$.spec.tensorboard.enabled"),
        ({"tensorboard": {"profile": {"steps": [10]}}}, "$.spec.tensorboard.profile.steps"),
    ],
)
def test_the_editor_schema_marks_a_mistake_where_it_is(change: dict[str, Any], path: str) -> None:
    assert refusals({**JOB, "spec": JOB["spec"] | change}) == [path]


def test_an_editor_asks_for_the_kind() -> None:
    assert refusals({k: v for k, v in JOB.items() if k != "kind"}) == ["$"]
