"""What kube-state-metrics is told to read of a TrainingJob is there to be read."""

import functools
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from kubefit.api.names import Phase
from kubefit.generate.crd import crd
from kubefit.generate.kube_state_metrics import kube_state_metrics_yaml

(RESOURCE,) = yaml.safe_load(kube_state_metrics_yaml())["spec"]["resources"]
DEFINITION = crd()["spec"]
SCHEMA = DEFINITION["versions"][0]["schema"]["openAPIV3Schema"]


def below(schema: dict[str, Any], path: list[str]) -> dict[str, Any]:
    """The schema of a field; metadata have none in the definition."""
    if path == ["metadata", "creationTimestamp"]:
        return {"type": "string", "format": "date-time"}
    found: dict[str, Any] = functools.reduce(lambda at, key: at["properties"][key], path, schema)
    return found


def gauges() -> Iterator[tuple[str, dict[str, Any]]]:
    for metric in RESOURCE["metrics"]:
        if metric["each"]["type"] == "Gauge":
            yield metric["name"], metric["each"]["gauge"]


def test_it_is_about_the_resource_that_is_installed() -> None:
    assert RESOURCE["groupVersionKind"] == {
        "group": DEFINITION["group"],
        "version": DEFINITION["versions"][0]["name"],
        "kind": DEFINITION["names"]["kind"],
    }


@pytest.mark.parametrize(("name", "gauge"), [pytest.param(*g, id=g[0]) for g in gauges()])
def test_every_gauge_reads_a_number_a_time_or_what_says_true_or_false(name, gauge) -> None:
    field = below(SCHEMA, gauge["path"])
    if field["type"] == "array":
        item = field["items"]
        for path in gauge["labelsFromPath"].values():
            assert below(item, path)["type"] == "string"
        assert set(below(item, gauge["valueFrom"])["enum"]) >= {"True", "False"}
    elif field["type"] == "string":
        assert field["format"] == "date-time"
        assert name.endswith(("time", "created"))
    else:
        assert field["type"] in ("integer", "number")


def test_the_phases_are_those_there_are() -> None:
    (phases,) = [m["each"]["stateSet"] for m in RESOURCE["metrics"] if m["name"] == "status_phase"]
    assert below(SCHEMA, phases["path"])["enum"] == phases["list"] == list(Phase)
