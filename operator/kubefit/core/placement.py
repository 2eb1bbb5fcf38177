"""`spec.scheduling` in the pods of the workers."""

from typing import Any

from kubefit.api.names import LABEL_JOB, LABEL_ROLE, ROLE_WORKER
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.core.merge import merged

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def placed(job: TrainingJob, template: dict[str, Any]) -> dict[str, Any]:
    """The pod template as the job wants it placed, beside what the user's own affinity asks."""
    if not job.spec.scheduling.one_per_node:
        return template
    affinity = template["spec"].get("affinity", {})
    apart = {
        "labelSelector": {
            "matchLabels": {LABEL_JOB: job.metadata.name, LABEL_ROLE: ROLE_WORKER},
        },
        "topologyKey": "kubernetes.io/hostname",
    }
    terms = [*affinity.get("podAntiAffinity", {}).get(_REQUIRED, ()), apart]
    patch = {"spec": {"affinity": {"podAntiAffinity": {_REQUIRED: terms}}}}
    result: dict[str, Any] = merged(template, patch)
    return result
