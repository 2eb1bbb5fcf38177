"""Labels of Kubeflow by which a pod template selects, or names, the pods of its own job."""

import re
from typing import Any

from kubefit.api.names import LABEL_JOB, LABEL_ROLE, ROLE_WORKER

_JOB = ("training.kubeflow.org/job-name", "tf-job-name", "job-name")
_ROLE = ("training.kubeflow.org/replica-type", "tf-replica-type", "replica-type")
_INDEX = ("training.kubeflow.org/replica-index", "tf-replica-index", "replica-index")
_LABEL = re.compile(r"metadata\.labels\['(.+)'\]")
_OF_NODES = "nodeAffinity"
_LABEL_INDEX = "batch.kubernetes.io/job-completion-index"


def relabelled(value: Any, names: dict[str, str]) -> Any:
    """The same with the labels of KubeFit, but for rules that select nodes.

    Args:
        value: Any part of a pod template.
        names: Names of jobs that have changed.

    """
    if isinstance(value, list):
        return [relabelled(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    found = {
        key: item if key == _OF_NODES else relabelled(item, names) for key, item in value.items()
    }
    path = found.get("fieldPath")
    if isinstance(path, str) and (named := _LABEL.fullmatch(path)):
        found["fieldPath"] = f"metadata.labels['{_label(named[1], None, names)[0]}']"
    if isinstance(found.get("matchLabels"), dict):
        found["matchLabels"] = dict(
            _label(key, item, names) for key, item in found["matchLabels"].items()
        )
    if isinstance(found.get("key"), str) and isinstance(found.get("values"), list):
        labels = [_label(found["key"], item, names) for item in found["values"]]
        if labels:
            found["key"] = labels[0][0]
            found["values"] = list(dict.fromkeys(item for _, item in labels))
    return found


def of_kubeflow(label: str) -> bool:
    """Whether Kubeflow writes the label."""
    return label.startswith("training.kubeflow.org/") or label in (*_JOB, *_ROLE, *_INDEX)


def _label(key: str, value: Any, names: dict[str, str]) -> tuple[str, Any]:
    if key in _JOB:
        return LABEL_JOB, names.get(str(value), value)
    if key in _ROLE:
        return LABEL_ROLE, ROLE_WORKER
    return (_LABEL_INDEX, value) if key in _INDEX else (key, value)
