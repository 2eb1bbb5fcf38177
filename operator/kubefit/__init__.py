"""KubeFit: model.fit on Kubernetes.

`TrainingClient` and its errors are for notebooks and scripts. They are imported when they are asked
for: the parts of KubeFit that run in pods do without them.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubefit.client.errors import (
        ClientError,
        InvalidJobError,
        JobFailedError,
        JobOverError,
        NotShippableError,
        WaitTimeoutError,
    )
    from kubefit.client.refusals import ClusterError, JobNotFoundError
    from kubefit.client.training import TrainingClient

__all__ = [
    "ClientError",
    "ClusterError",
    "InvalidJobError",
    "JobFailedError",
    "JobNotFoundError",
    "JobOverError",
    "NotShippableError",
    "TrainingClient",
    "WaitTimeoutError",
]

_ELSEWHERE = {
    "ClusterError": "kubefit.client.refusals",
    "JobNotFoundError": "kubefit.client.refusals",
    "TrainingClient": "kubefit.client.training",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_ELSEWHERE.get(name, "kubefit.client.errors"))
    return getattr(module, name)
