"""The alerts as rules: for any Prometheus, for its operator by way of the chart, and explained."""

from collections.abc import Iterator, Mapping
from string import Template
from typing import Any

from kubefit.generate.alerts import ALERTS, RECORDINGS
from kubefit.generate.metrics_values import PrometheusRule, Thresholds
from kubefit.generate.reference import table
from kubefit.generate.text import MARKDOWN_NOTICE, NOTICE, YAML_NOTICE, to_yaml

_VALUES = ".Values.metrics.prometheusRule"
_HEAD = """apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: {{ include "kubefit.fullname" . }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "kubefit.selector.operator" . | nindent 4 }}
    {{- include "kubefit.labels" . | nindent 4 }}
    {{- with .Values.metrics.prometheusRule.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
"""


def alerts_yaml() -> str:
    """Rules with the default thresholds, as Prometheus reads them from a file."""
    return YAML_NOTICE + to_yaml(_rules(_defaults(), PrometheusRule().runbook_url))


def alerts_template() -> str:
    """The same rules as a PrometheusRule of the chart, their thresholds from its values."""
    thresholds = {
        name: f"{{{{ {_VALUES}.thresholds.{field.alias}{_filter(field.annotation)} }}}}"
        for name, field in Thresholds.model_fields.items()
    }
    groups = to_yaml(_rules(thresholds, f"{{{{ {_VALUES}.runbookUrl }}}}", escaped=True))
    body = "".join(f"  {line}\n" if line else "\n" for line in groups.splitlines())
    return (
        f"{{{{- if {_VALUES}.enabled }}}}\n{{{{- /* {NOTICE} */}}}}\n{_HEAD}{body}{{{{- end }}}}\n"
    )


def alerts_md() -> str:
    """Every alert with its severity and its expression."""
    rows = (
        (
            f"[`{alert.name}`](../runbooks/{alert.runbook})",
            alert.severity,
            alert.summary,
            f"`{_filled(alert.expr, _defaults())}`",
            _filled(alert.wait, _defaults()),
        )
        for alert in ALERTS
    )
    return "\n".join(
        [
            MARKDOWN_NOTICE,
            "# Alerts\n",
            "With the default thresholds. [How to install them](../how-to/prometheus.md#alerts).\n",
            table(("Alert", "Severity", "Meaning", "Expression", "For"), rows),
            "## Recorded ratios\n",
            "Rules of the same file, for alerts and queries of your own.\n",
            table(
                ("Name", "Meaning", "Expression"),
                ((f"`{r.name}`", r.text, f"`{' '.join(r.expr.split())}`") for r in RECORDINGS),
            ),
        ]
    )


def _defaults() -> dict[str, str]:
    return {name: str(value) for name, value in Thresholds()}


def _filter(annotation: object) -> str:
    """Helm holds numbers as floats, of which it prints large ones with an exponent."""
    return " | int" if annotation is int else ""


def _rules(
    thresholds: Mapping[str, str], runbooks: str, *, escaped: bool = False
) -> dict[str, list[dict[str, Any]]]:
    """Groups of rules; `escaped` where helm must not take Prometheus' templates for its own."""
    return {
        "groups": [
            {
                "name": "kubefit-goodput",
                "rules": [{"record": r.name, "expr": r.expr} for r in RECORDINGS],
            },
            *(
                {
                    "name": f"kubefit-{about}",
                    "rules": list(_group(about, thresholds, runbooks, escaped)),
                }
                for about in dict.fromkeys(alert.about for alert in ALERTS)
            ),
        ]
    }


def _group(
    about: str, thresholds: Mapping[str, str], runbooks: str, escaped: bool
) -> Iterator[dict[str, Any]]:
    for alert in ALERTS:
        if alert.about != about:
            continue
        description = alert.description
        if escaped:
            description = description.replace("{{", '{{ "{{" }}')
        yield {
            "alert": alert.name,
            "expr": _filled(alert.expr, thresholds),
            "for": _filled(alert.wait, thresholds),
            "labels": {"severity": alert.severity},
            "annotations": {
                "summary": alert.summary,
                "description": description,
                "runbook_url": f"{runbooks}/{alert.runbook}",
            },
        }


def _filled(text: str, thresholds: Mapping[str, str]) -> str:
    return Template(text).substitute(thresholds)
