"""Gives a job to a cluster."""

from typing import Any

from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.errors import JobOverError
from kubefit.client.following import FINISHED
from kubefit.client.kubernetes import Cluster


def apply(cluster: Cluster, document: dict[str, Any], *, dry_run: bool = False) -> TrainingJob:
    """Creates the job, or changes the one of its name.

    Raises:
        JobOverError: the one of its name has ended.
        RefusedError: the API server refuses the job itself.
        ClusterError: anything else that goes wrong.

    """
    applied = cluster.apply(document, dry_run=dry_run)
    name, phase = applied.metadata.name, applied.status.phase
    if phase in FINISHED:
        raise JobOverError(
            f"trainingjob {name} is over ({phase}) and does not run again",
            hint=f"kubefit delete {name}, or give the manifest another metadata.name",
        )
    return applied
