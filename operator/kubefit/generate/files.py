"""Which files are generated, and what each holds."""

from collections.abc import Callable
from functools import partial

from kubefit.api.names import GangScheduler
from kubefit.generate.alert_files import alerts_md, alerts_template, alerts_yaml
from kubefit.generate.chart import chart_readme, chart_yaml, crd_template
from kubefit.generate.command_line import command_line_md
from kubefit.generate.crd import crd
from kubefit.generate.editor import editor_schema, plain_schema
from kubefit.generate.fleet_dashboard import FLEET
from kubefit.generate.grafana import Dashboard, grafana_json
from kubefit.generate.job_dashboard import JOB
from kubefit.generate.kube_state_metrics import kube_state_metrics_yaml
from kubefit.generate.metrics import metrics_md
from kubefit.generate.reference import trainingjob_md, workers_md
from kubefit.generate.rights import gang_rules, lease_rules, operator_rules
from kubefit.generate.text import YAML_NOTICE, to_json, to_yaml
from kubefit.generate.values import Values
from kubefit.generate.values_file import values_yaml


def _gang_rules(scheduler: GangScheduler) -> str:
    return YAML_NOTICE + to_yaml(gang_rules(scheduler))


def _dashboard(board: Dashboard) -> str:
    return to_json(grafana_json(board))


FILES: dict[str, Callable[[], str]] = {
    "manifests/crd.yaml": lambda: YAML_NOTICE + to_yaml(crd()),
    "charts/kubefit/Chart.yaml": chart_yaml,
    "charts/kubefit/README.md": chart_readme,
    "charts/kubefit/values.yaml": values_yaml,
    "charts/kubefit/values.schema.json": lambda: to_json(
        plain_schema(Values, title="Values of the chart kubefit")
    ),
    "charts/kubefit/files/operator-rules.yaml": lambda: YAML_NOTICE + to_yaml(operator_rules()),
    "charts/kubefit/files/lease-rules.yaml": lambda: (
        YAML_NOTICE + to_yaml(lease_rules('{{ include "kubefit.fullname" . }}'))
    ),
    **{
        f"charts/kubefit/files/{scheduler}-rules.yaml": partial(_gang_rules, scheduler)
        for scheduler in GangScheduler
    },
    "charts/kubefit/templates/crd.yaml": crd_template,
    "charts/kubefit/templates/alerts.yaml": alerts_template,
    "manifests/alerts.yaml": alerts_yaml,
    "manifests/kube-state-metrics.yaml": kube_state_metrics_yaml,
    **{
        f"charts/kubefit/files/dashboards/{name}.json": partial(_dashboard, board)
        for name, board in (("fleet", FLEET), ("job", JOB))
    },
    "docs/reference/trainingjob.md": trainingjob_md,
    "docs/reference/workers.md": workers_md,
    "docs/reference/command-line.md": command_line_md,
    "docs/reference/metrics.md": metrics_md,
    "docs/reference/alerts.md": alerts_md,
    "docs/schema/trainingjob.json": lambda: to_json(editor_schema()),
}
"""Path below the repository and what makes its text."""

INSTALL = "manifests/install.yaml"
"""Rendered by helm after all others are written."""
