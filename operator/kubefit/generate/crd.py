"""The CustomResourceDefinition of TrainingJob."""

from typing import Any

from kubefit.api import names
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.generate.structural import Schema, structural

COLUMNS: tuple[tuple[str, str, str, str], ...] = (
    ("State", "string", ".status.phase", "What the job is doing"),
    ("Ready", "string", ".status.summary.ready", "Workers ready of workers asked for"),
    ("Epoch", "string", ".status.summary.epoch", "Epoch under way of epochs asked for"),
    ("Progress", "string", ".status.summary.progress", "Share of all steps that is done"),
    ("Loss", "string", ".status.summary.loss", "Latest training loss"),
    ("Restarts", "integer", ".status.restarts", "Restarts charged to the job"),
    ("Age", "date", ".metadata.creationTimestamp", "Time since the job was created"),
)
"""Name, type, path and description of the columns of `kubectl get`."""


def crd() -> dict[str, Any]:
    """The CRD, as it is applied."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names.PLURAL}.{names.GROUP}"},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": names.KIND,
                "listKind": f"{names.KIND}List",
                "plural": names.PLURAL,
                "singular": names.SINGULAR,
                "shortNames": [names.SHORT_NAME],
                "categories": ["all"],
            },
            "versions": [_version()],
        },
    }


def _version() -> dict[str, Any]:
    return {
        "name": names.VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [
            {"name": name, "type": kind, "jsonPath": path, "description": text}
            for name, kind, path, text in COLUMNS
        ],
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.workers",
                "statusReplicasPath": ".status.readyWorkers",
                "labelSelectorPath": ".status.selector",
            },
        },
        "schema": {"openAPIV3Schema": resource_schema()},
    }


def resource_schema() -> Schema:
    """Structural schema of the resource; the API server itself knows the type of `metadata`."""
    source = TrainingJob.model_json_schema()
    source["properties"] = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": source["properties"]["spec"],
        # Without its default: an object gets a status when the operator first saw it, not before.
        "status": {k: v for k, v in source["properties"]["status"].items() if k != "default"},
    }
    source["required"] = ["spec"]
    return structural(source)
