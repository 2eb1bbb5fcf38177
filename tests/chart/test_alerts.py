"""Alerts fire when they should, by Prometheus' own test runner, and lead to a runbook."""

import re
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubefit.generate.alerts import ALERTS

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[2]
RULES = ROOT / "manifests/alerts.yaml"
SCENARIOS = ROOT / "tests/chart/alert_scenarios.yaml"
ENABLED = "metrics.prometheusRule.enabled=true"


def rules(groups: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def test_prometheus_finds_no_fault_with_the_rules(promtool: str) -> None:
    answer = subprocess.run([promtool, "check", "rules", str(RULES)], capture_output=True)
    assert answer.returncode == 0, answer.stderr


def test_every_scenario_ends_as_it_says(promtool: str) -> None:
    answer = subprocess.run(
        [promtool, "test", "rules", str(SCENARIOS)], capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_every_alert_has_a_scenario_where_it_fires_and_one_where_it_is_silent() -> None:
    outcomes = defaultdict(set)
    for scenario in yaml.safe_load(SCENARIOS.read_text())["tests"]:
        for case in scenario["alert_rule_test"]:
            outcomes[case["alertname"]].add(bool(case.get("exp_alerts")))
    assert outcomes == {alert.name: {True, False} for alert in ALERTS}


def test_every_alert_has_a_runbook() -> None:
    for alert in ALERTS:
        page, _, anchor = alert.runbook.partition("#")
        headings = re.findall(r"^## (\w+)$", (ROOT / "docs/runbooks" / page).read_text(), re.M)
        assert anchor in [heading.lower() for heading in headings], alert.name


def test_the_chart_has_the_same_rules(render) -> None:
    (rule,) = [d for (kind, _), d in render(ENABLED).items() if kind == "PrometheusRule"]
    assert rule["spec"] == yaml.safe_load(RULES.read_text())


def test_thresholds_runbooks_and_labels_are_values_of_the_chart(render) -> None:
    labels = 'metrics.prometheusRule.labels={"release":"prometheus"}'
    thresholds = (
        'metrics.prometheusRule.thresholds={"waitingSeconds":3000000,"noStepSeconds":3000000,'
        '"checkpointAgeSeconds":3000000,"restartsUsedRatio":0.25,"volumeFreeRatio":0.05,'
        '"goodputRatio":0.75,"gpuUseRatio":0.3}'
    )
    runbooks = 'metrics.prometheusRule.runbookUrl="https://example.com/runbooks"'
    objects = render(ENABLED, labels, thresholds, runbooks)
    found = objects["PrometheusRule", "kubefit"]
    assert found["metadata"]["labels"]["release"] == "prometheus"
    by_name = rules(found["spec"]["groups"])
    assert by_name["KubeFitJobWaits"]["expr"].endswith("> 3000000")
    assert by_name["KubeFitJobNoStep"]["for"] == "3000000s"
    assert "> 3000000\n" in by_name["KubeFitCheckpointTooOld"]["expr"]
    assert by_name["KubeFitJobRestartBudget"]["expr"].endswith("> 0.25")
    assert "< 0.75\n" in by_name["KubeFitGoodputLow"]["expr"]
    assert "< 0.3\n" in by_name["KubeFitGpuIdle"]["expr"]
    assert by_name["KubeFitVolumeNearlyFull"]["expr"].endswith("< 0.05")
    assert all(
        rule["annotations"]["runbook_url"].startswith("https://example.com/runbooks/")
        for rule in by_name.values()
    )
