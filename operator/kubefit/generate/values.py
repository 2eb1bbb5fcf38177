"""The values of the chart: their names, defaults, types and comments.

`values.yaml`, `values.schema.json` and the table in the chart's README follow from these models.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from kubefit.api.base import FreeForm, Model
from kubefit.api.log_lines import LogFormat
from kubefit.api.names import GangScheduler
from kubefit.generate.metrics_values import Labels, Metrics, Port


class PullPolicy(StrEnum):
    """When a node pulls an image."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


class Image(Model):
    """An image; a digest wins over a tag."""

    repository: Annotated[str, Field(min_length=1)]
    """Registry and name."""
    tag: str = ""
    """The version of the chart when empty."""
    digest: Annotated[str, Field(pattern="^(sha256:[0-9a-f]{64})?$")] = ""
    """`sha256:…`."""
    pull_policy: PullPolicy = PullPolicy.IF_NOT_PRESENT
    """Always, IfNotPresent or Never."""


class Images(Model):
    """Images of the operator and of the workers."""

    operator: Image = Image(repository="ghcr.io/kubefit/operator")
    """The operator."""
    trainer: Image = Image(repository="ghcr.io/kubefit/trainer")
    """Workers of jobs that set no `spec.image`, and TensorBoard."""


class SecretName(Model):
    """Name of a Secret in the namespace of the pod."""

    name: Annotated[str, Field(min_length=1)]


class LogLevel(StrEnum):
    """The least severe records that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Placement(Model):
    """Where a pod runs and with what."""

    resources: FreeForm
    """Requests and limits."""
    node_selector: Labels = {}
    """Labels that a node must have."""
    tolerations: list[FreeForm] = []
    """Taints of nodes that are tolerated."""
    affinity: FreeForm = {}
    """Affinity of the pod."""
    priority_class_name: str = ""
    """PriorityClass of the pod."""
    pod_annotations: Labels = {}
    """Further annotations of the pod."""
    pod_labels: Labels = {}
    """Further labels of the pod."""


class Operator(Placement):
    """The operator's Deployment."""

    replicas: Annotated[int, Field(ge=1)] = 2
    """Operators; one acts, the others take its place within seconds when it fails."""
    resources: FreeForm = {
        "requests": {"cpu": "50m", "memory": "128Mi"},
        "limits": {"memory": "512Mi"},
    }
    """Requests and limits."""
    log_level: LogLevel = LogLevel.INFO
    """debug, info, warning or error."""
    log_format: LogFormat = LogFormat.JSON
    """json or text: lines of the operator's own log."""
    worker_log_format: LogFormat = LogFormat.TEXT
    """text or json: lines of the logs of workers, whose programs print for people."""
    extra_env: list[FreeForm] = []
    """Further environment variables, as in a container."""
    extra_volumes: list[FreeForm] = []
    """Further volumes, as in a pod."""
    extra_volume_mounts: list[FreeForm] = []
    """Where they are mounted, as in a container."""


class Scope(StrEnum):
    """How far the operator's rights go."""

    CLUSTER = "cluster"
    NAMESPACED = "namespaced"


class Rbac(Model):
    """Rights in the cluster."""

    create: bool = True
    """Creates the operator's roles and their bindings."""
    scope: Scope = Scope.CLUSTER
    """`cluster`: one ClusterRole. `namespaced`: a Role in each of `watchNamespaces`."""
    user_roles: bool = True
    """Lets whoever may edit or view a namespace do the same with its TrainingJobs."""


class Gang(Model):
    """Who places the workers of jobs with `spec.scheduling.gang` all at once."""

    scheduler: Annotated[str, Field(pattern=f"^({'|'.join(GangScheduler)})?$")] = ""
    """kubernetes, coscheduling or volcano; when empty, such jobs wait and say so."""
    scheduler_name: str = ""
    """`schedulerName` of their pods; when empty `volcano`, or that of the pod template."""


class ServiceAccount(Model):
    """The operator's ServiceAccount."""

    create: bool = True
    """Creates it; otherwise `name` exists."""
    name: str = ""
    """Its name; the name of the release by default."""
    annotations: Labels = {}
    """Its annotations."""


class Crds(Model):
    """The CustomResourceDefinition of TrainingJob."""

    enabled: bool = True
    """Installs and upgrades it with the chart."""
    keep: bool = True
    """Keeps it, and with it every TrainingJob, when the chart is uninstalled."""


class NetworkPolicies(Model):
    """Who may talk to the pods of this release, where the network enforces policies."""

    enabled: bool = False
    """Makes one NetworkPolicy for the operator and one for TensorBoard."""
    jobs: bool = True
    """The operator makes one for each job: only its own workers reach the servers of TensorFlow."""
    scrapers: list[FreeForm] = []
    """Peers that may scrape the operator, as in `from` of a NetworkPolicy; all when empty."""
    api_server_ports: list[Port] = [443, 6443]
    """Ports of the Kubernetes API server, that of its pods among them."""


class HelmTest(Model):
    """The job of `helm test`, which trains one step on a new volume."""

    storage_class: str = ""
    """StorageClass of the volume; the default of the cluster when empty."""
    resources: FreeForm = {
        "requests": {"cpu": "100m", "memory": "1Gi"},
        "limits": {"memory": "2Gi"},
    }
    """Requests and limits of its worker."""


class TensorBoard(Placement):
    """One TensorBoard for all jobs on one volume."""

    enabled: bool = False
    """Starts it, as a Deployment and a Service."""
    claim: str = ""
    """Existing PersistentVolumeClaim in the namespace of the release; the jobs write to it."""
    port: Port = 6006
    """Port of the Service."""
    extra_args: list[str] = []
    """Further arguments, such as `--samples_per_plugin=images=200`."""
    resources: FreeForm = {
        "requests": {"cpu": "100m", "memory": "512Mi"},
        "limits": {"memory": "2Gi"},
    }
    """Requests and limits."""


class Values(Model):
    """The values of the chart."""

    image: Images = Images()
    """Images; both have the version of the chart unless a tag or a digest says otherwise."""
    image_pull_secrets: list[SecretName] = []
    """Secrets to pull them with, as `[{name: …}]`."""
    name_override: str = ""
    """Replaces the name of the chart in labels and names."""
    fullname_override: str = ""
    """Replaces the whole name of every object."""
    operator: Operator = Operator()
    """The operator's Deployment."""
    watch_namespaces: list[Annotated[str, Field(min_length=1)]] = []
    """Namespaces whose TrainingJobs are run.

    When empty: all, or that of the release where `rbac.scope` is `namespaced`.
    """
    gang: Gang = Gang()
    """Who places the workers of jobs with `spec.scheduling.gang` all at once."""
    rbac: Rbac = Rbac()
    """Rights in the cluster."""
    service_account: ServiceAccount = ServiceAccount()
    """The operator's ServiceAccount."""
    crds: Crds = Crds()
    """The CustomResourceDefinition of TrainingJob."""
    metrics: Metrics = Metrics()
    """Prometheus metrics."""
    tensorboard: TensorBoard = TensorBoard()
    """One TensorBoard for all jobs on one volume."""
    network_policies: NetworkPolicies = NetworkPolicies()
    """Who may talk to the pods of this release, where the network enforces policies."""
    helm_test: HelmTest = HelmTest()
    """The job of `helm test`, which trains one step on a new volume."""
    extra_objects: list[FreeForm] = []
    """Further objects of the release; templates in them are filled in."""
