"""What kube-state-metrics exports of TrainingJobs when it is given this configuration.

For platforms that watch all their resources in that one way; the operator's own metrics need none
of it.
"""

from typing import Any

from kubefit.api.names import GROUP, KIND, VERSION, Phase
from kubefit.generate.text import YAML_NOTICE, to_yaml

_GAUGES = {
    "created": ("Unix time at which it was made.", ["metadata", "creationTimestamp"]),
    "start_time": ("Unix time at which its workers began.", ["status", "startTime"]),
    "completion_time": ("Unix time at which it came to an end.", ["status", "completionTime"]),
    "workers": ("Workers asked for.", ["status", "workers"]),
    "ready_workers": ("Workers whose pods are ready.", ["status", "readyWorkers"]),
    "restarts": ("Restarts charged to maxRestarts.", ["status", "restarts"]),
}


def kube_state_metrics_yaml() -> str:
    """The file for `--custom-resource-state-config-file`."""
    resource = {
        "groupVersionKind": {"group": GROUP, "version": VERSION, "kind": KIND},
        "metricNamePrefix": "kube_trainingjob",
        "labelsFromPath": {
            "namespace": ["metadata", "namespace"],
            "training_job": ["metadata", "name"],
        },
        "metrics": [
            *(_gauge(name, text, {"path": path}) for name, (text, path) in _GAUGES.items()),
            {
                "name": "status_phase",
                "help": "1 for the phase that it is in, else 0.",
                "each": {
                    "type": "StateSet",
                    "stateSet": {
                        "labelName": "phase",
                        "path": ["status", "phase"],
                        "list": [phase.value for phase in Phase],
                    },
                },
            },
            _gauge(
                "status_condition",
                "1 for a condition that is True, 0 for one that is False.",
                {
                    "path": ["status", "conditions"],
                    "labelsFromPath": {"type": ["type"], "reason": ["reason"]},
                    "valueFrom": ["status"],
                },
            ),
        ],
    }
    return YAML_NOTICE + to_yaml(
        {"kind": "CustomResourceStateMetrics", "spec": {"resources": [resource]}}
    )


def _gauge(name: str, text: str, gauge: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "help": text, "each": {"type": "Gauge", "gauge": gauge}}
