"""Which files are generated, and what each holds."""

from collections.abc import Callable

from kubefit.generate.chart import chart_readme, chart_yaml, crd_template
from kubefit.generate.crd import crd
from kubefit.generate.editor import editor_schema, plain_schema
from kubefit.generate.metrics import metrics_md
from kubefit.generate.reference import trainingjob_md, workers_md
from kubefit.generate.rights import operator_rules
from kubefit.generate.text import YAML_NOTICE, to_json, to_yaml
from kubefit.generate.values import Values, values_yaml

FILES: dict[str, Callable[[], str]] = {
    "manifests/crd.yaml": lambda: YAML_NOTICE + to_yaml(crd()),
    "charts/kubefit/Chart.yaml": chart_yaml,
    "charts/kubefit/README.md": chart_readme,
    "charts/kubefit/values.yaml": values_yaml,
    "charts/kubefit/values.schema.json": lambda: to_json(
        plain_schema(Values, title="Values of the chart kubefit")
    ),
    "charts/kubefit/files/operator-rules.yaml": lambda: YAML_NOTICE + to_yaml(operator_rules()),
    "charts/kubefit/templates/crd.yaml": crd_template,
    "docs/reference/trainingjob.md": trainingjob_md,
    "docs/reference/workers.md": workers_md,
    "docs/reference/metrics.md": metrics_md,
    "docs/schema/trainingjob.json": lambda: to_json(editor_schema()),
}
"""Path below the repository and what makes its text."""

INSTALL = "manifests/install.yaml"
"""Rendered by helm after all others are written."""
