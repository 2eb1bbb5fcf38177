"""One snapshot of everything a decision about a TrainingJob rests on."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kubefit.api.contract import WorkerStatus
from kubefit.api.log_lines import LogFormat
from kubefit.api.names import GangScheduler

Object = Mapping[str, Any]
"""A Kubernetes object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What the operator was installed with, for jobs that do not say otherwise."""

    image: str
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    log_format: LogFormat = LogFormat.TEXT
    """What the logs of workers look like."""
    network_policies: bool = True
    """Whether each job has a NetworkPolicy."""
    gang_scheduler: GangScheduler | None = None
    """Who heeds PodGroups in this cluster."""
    gang_scheduler_name: str = ""
    """`schedulerName` of the pods of a gang; when empty, the one that is usual for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A TrainingJob, its children and its chief, seen at one moment."""

    now: datetime.datetime
    """Aware, UTC."""
    resource: Object
    """The TrainingJob as it is stored."""
    defaults: Defaults
    job: Object | None = None
    """The Indexed Job."""
    pods: tuple[Object, ...] = ()
    """Workers' pods, those of earlier attempts among them."""
    leftovers: tuple[str, ...] = ()
    """Names of workers' pods that an earlier TrainingJob of this name left and that still end."""
    claims: frozenset[str] = frozenset()
    """Names of those PersistentVolumeClaims that the job names and that there are."""
    chief: WorkerStatus | None = None
    """What the agent of rank 0 answered, when it could be asked."""
    refused_pods: tuple[Object, ...] = ()
    """Events of the Job controller that tell of pods which it could not create."""
    pod_events: tuple[Object, ...] = ()
    """Events about a pod that its node does not start."""
    refusal: str = ""
    """Why the API server refused an object of this job; empty when it refused none."""

    @property
    def name(self) -> str:
        """Name of the TrainingJob."""
        return str(self.resource["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Namespace of the TrainingJob."""
        return str(self.resource["metadata"]["namespace"])
