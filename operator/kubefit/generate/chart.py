"""Those parts of the chart that follow from code: its head, its CRD, the operator's rights."""

import json
from typing import Any

from kubefit.api import names
from kubefit.api.version import __version__
from kubefit.generate.changes import CHANGELOG, changes
from kubefit.generate.crd import crd
from kubefit.generate.reference import table
from kubefit.generate.text import MARKDOWN_NOTICE, NOTICE, YAML_NOTICE, to_yaml
from kubefit.generate.values import Values
from kubefit.generate.values_file import value_rows

OLDEST_KUBERNETES = "1.31.0-0"
_EXAMPLE = {
    "apiVersion": names.API_VERSION,
    "kind": names.KIND,
    "metadata": {"name": "digits"},
    "spec": {
        "workers": 2,
        "storage": {"claim": "training"},
        "script": {"volumePath": "train.py"},
    },
}
_KEEP = """  {{- if .Values.crds.keep }}
  annotations:
    helm.sh/resource-policy: keep
  {{- end }}
"""


def chart_yaml() -> str:
    """Head of the chart; chart, images and wheel have one version."""
    head: dict[str, Any] = {
        "apiVersion": "v2",
        "name": "kubefit",
        "description": "Keras model.fit on Kubernetes: N workers, the numbers of one",
        "type": "application",
        "version": __version__,
        "appVersion": __version__,
        "kubeVersion": f">={OLDEST_KUBERNETES}",
        "keywords": ["keras", "tensorflow", "training", "operator"],
        "annotations": {
            "artifacthub.io/category": "ai-machine-learning",
            "artifacthub.io/license": "Apache-2.0",
            "artifacthub.io/operator": "true",
            "artifacthub.io/crds": to_yaml(
                [
                    {
                        "kind": names.KIND,
                        "version": names.VERSION,
                        "name": f"{names.PLURAL}.{names.GROUP}",
                        "displayName": names.KIND,
                        "description": "A Keras training on several workers in lockstep",
                    }
                ]
            ),
            "artifacthub.io/crdsExamples": to_yaml([_EXAMPLE]),
            "artifacthub.io/images": to_yaml(
                [
                    {"name": name, "image": f"{image.repository}:{__version__}"}
                    for name, image in Values().image
                ]
            ),
        },
    }
    told = changes(CHANGELOG.read_text(encoding="utf-8"), __version__)
    if told:
        head["annotations"]["artifacthub.io/changes"] = to_yaml(told)
    return YAML_NOTICE + to_yaml(head)


def crd_template() -> str:
    """The CRD as a template: `helm upgrade` upgrades it, `helm uninstall` keeps it."""
    text = to_yaml(crd())
    if "{{" in text:
        raise ValueError("the CRD holds '{{', which helm would take for a template: reword it")
    name = f"  name: {names.PLURAL}.{names.GROUP}\n"
    before, after = text.split(name, maxsplit=1)
    return (
        "{{- if .Values.crds.enabled }}\n"
        f"{{{{- /* {NOTICE} */}}}}\n"
        f"{before}{name}{_KEEP}{after}"
        "{{- end }}\n"
    )


def chart_readme() -> str:
    """How to install, and every value."""
    rows = ((f"`{path}`", f"`{json.dumps(value)}`", text) for path, value, text in value_rows())
    return "\n".join(
        [
            MARKDOWN_NOTICE,
            "# kubefit\n",
            "The operator that runs TrainingJobs, its rights and the CustomResourceDefinition.\n",
            "```sh\nhelm install kubefit charts/kubefit --namespace kubefit-system"
            " --create-namespace\n```\n",
            "A value that the chart does not know is refused, so a typo cannot go unnoticed. The"
            " CustomResourceDefinition is upgraded with the chart and kept when the chart is"
            " uninstalled, because deleting it would delete every TrainingJob; take it away with"
            f" `kubectl delete crd {names.PLURAL}.{names.GROUP}`.\n",
            "Once the operator runs, `helm test` has a job of one step trained on a new volume, and"
            " takes both away again:\n",
            "```sh\nhelm test kubefit --namespace kubefit-system\n```\n",
            "`values-kind.yaml` is for clusters of one machine, `values-gpu.yaml` for those with"
            " NVIDIA GPUs: `helm install … --values charts/kubefit/values-kind.yaml`.\n",
            "## Values\n",
            table(("Value", "Default", "Description"), rows),
        ]
    )
