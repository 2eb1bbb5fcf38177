"""Dashboards and alerts ask for what is exported, in words that Prometheus and Grafana know."""

import json
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from kubefit.generate.alerts import ALERTS, RECORDINGS
from kubefit.generate.metrics import operator_metrics, worker_metrics

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[2]
BOARDS = sorted((ROOT / "charts/kubefit/files/dashboards").glob("*.json"))
UNITS = {
    *("none", "short", "percent", "percentunit", "s", "bytes", "decmbytes"),
    *("ops", "cps", "reqps"),
}
TARGET = {"namespace", "service", "pod", "instance", "job"}
"""Labels that Prometheus gives every series of a target."""
OTHERS = {
    "kubelet_volume_stats_available_bytes": {"persistentvolumeclaim"},
    "kubelet_volume_stats_capacity_bytes": {"persistentvolumeclaim"},
    "DCGM_FI_DEV_GPU_UTIL": {"gpu"},
    "DCGM_FI_DEV_FB_USED": {"gpu"},
    "DCGM_FI_DEV_XID_ERRORS": {"gpu"},
}
"""What the kubelet and the exporter of GPUs export."""
_SERIES = re.compile(
    r"(?<![\w:])((?:kubefit|training|kubelet|DCGM|namespace)_[\w:]+)(?:\{([^}]*)\})?"
)
_LABELS = re.compile(r"\b(?:by|on|group_left) \(([\w, ]*)\)")


@pytest.fixture(scope="module")
def exported() -> dict[str, set[str]]:
    """Names of all series with their labels."""
    found = {
        sample.name: set(sample.labels)
        for metric in (*operator_metrics(), *worker_metrics())
        for sample in metric.samples
    }
    return {**found, **OTHERS}


RECORDED = {r.name: set(r.name.partition(":")[0].split("_", 1)) for r in RECORDINGS}


def board(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def panels(path: Path) -> list[dict[str, Any]]:
    return [panel for panel in board(path)["panels"] if panel["type"] != "row"]


def expressions(path: Path) -> list[str]:
    return [target["expr"] for panel in panels(path) for target in panel["targets"]]


def check(expr: str, exported: dict[str, set[str]]) -> None:
    """Every series is exported, and has every label that is asked of it or kept of it."""
    labels = set(TARGET)
    found = _SERIES.findall(_LABELS.sub("", re.sub(r'"[^"]*"', "", expr)))
    assert found, expr
    for name, matchers in found:
        assert name in exported, expr
        labels |= exported[name]
        assert set(re.findall(r"\w+", matchers)) <= exported[name] | TARGET, expr
    for kept in _LABELS.findall(expr):
        assert {label for label in re.split(r",\s*", kept) if label} <= labels | {"le"}, expr


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_alerts_ask_for_series_that_are_exported_or_recorded(alert, exported) -> None:
    check(alert.expr, {**exported, **RECORDED})


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)
def test_what_is_recorded_is_made_of_series_that_are_exported(recording, exported) -> None:
    check(recording.expr, exported)


@pytest.mark.parametrize("metrics", [operator_metrics, worker_metrics])
def test_prometheus_finds_no_fault_with_what_is_exported(metrics, promtool) -> None:
    text = generate_latest(SimpleNamespace(collect=metrics))
    answer = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True)
    assert (answer.returncode, answer.stderr) == (0, b"")


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_panels_ask_for_series_that_are_exported(path, exported) -> None:
    for expr in expressions(path):
        check(expr, exported)
    for variable in board(path)["templating"]["list"]:
        if variable["type"] == "query":
            query = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"])
            assert query
            series, label = query.groups()
            check(series, exported)
            assert label in exported[series.partition("{")[0]]


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_prometheus_reads_every_expression(path, promtool, tmp_path) -> None:
    rules = [
        {"record": f"panel:{i}", "expr": expr.replace("$__rate_interval", "5m")}
        for i, expr in enumerate(expressions(path))
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    answer = subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_every_panel_has_a_unit_an_explanation_and_legends_that_tell_series_apart(path) -> None:
    for panel in panels(path):
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        legends = [target["legendFormat"] for target in panel["targets"]]
        assert len(set(legends)) == len(legends), panel["title"]
        for target in panel["targets"]:
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            kept = {
                label
                for labels in re.findall(r"\bby \(([\w, ]+)\)", target["expr"])
                for label in labels.split(", ")
            }
            assert shown == kept - {"le"}, panel["title"]


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_panels_do_not_lie_on_each_other(path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board(path)["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in board(path)["panels"]]
    assert len(set(ids)) == len(ids)


def test_config_maps_hold_the_dashboards_where_the_sidecar_finds_them(render) -> None:
    objects = render(
        "metrics.dashboards.enabled=true",
        'metrics.dashboards.namespace="monitoring"',
        'metrics.dashboards.labels={"grafana_dashboard":null,"board":"yes"}',
        'metrics.dashboards.annotations={"grafana_folder":"KubeFit"}',
    )
    for path in BOARDS:
        found = objects["ConfigMap", f"monitoring/kubefit-board-{path.stem}"]
        assert found["metadata"]["labels"]["board"] == "yes"
        assert "grafana_dashboard" not in found["metadata"]["labels"]
        assert found["metadata"]["annotations"] == {"grafana_folder": "KubeFit"}
        (text,) = found["data"].values()
        assert json.loads(text) == board(path)
