"""The values of the chart: their names, defaults, types and comments.

`values.yaml`, `values.schema.json` and the table in the chart's README follow from these models.
"""

import json
import textwrap
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from kubefit.api.base import FreeForm, Model
from kubefit.generate.text import YAML_NOTICE, to_yaml

Labels = dict[str, str]
Port = Annotated[int, Field(ge=1, le=65535)]


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

    operator: Image = Image(repository="kubefit/operator")
    """The operator."""
    trainer: Image = Image(repository="kubefit/trainer")
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

    resources: FreeForm = {
        "requests": {"cpu": "50m", "memory": "128Mi"},
        "limits": {"memory": "512Mi"},
    }
    """Requests and limits."""
    log_level: LogLevel = LogLevel.INFO
    """debug, info, warning or error."""
    extra_env: list[FreeForm] = []
    """Further environment variables, as in a container."""


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


class Monitor(Model):
    """A resource of the Prometheus operator."""

    enabled: bool = False
    """Needs the CRDs of the Prometheus operator."""
    interval: Annotated[str, Field(pattern="^[0-9]+(ms|s|m|h)$")] = "30s"
    """Time between two scrapes."""
    labels: Labels = {}
    """Further labels, such as the `release` that a Prometheus selects by."""


class Metrics(Model):
    """Prometheus metrics."""

    port: Port = 9090
    """Port of `/metrics` and `/healthz` in the operator, and of its Service."""
    service_monitor: Monitor = Monitor()
    """Scrapes the operator."""
    pod_monitor: Monitor = Monitor(interval="15s")
    """Scrapes the workers of every job."""


class TensorBoard(Placement):
    """One TensorBoard for all jobs on one volume."""

    enabled: bool = False
    """Starts it, as a Deployment and a Service."""
    claim: str = ""
    """Existing PersistentVolumeClaim in the namespace of the release; the jobs write to it."""
    port: Port = 6006
    """Port of the Service."""
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
    """The operator's Deployment; it always has one replica."""
    watch_namespaces: list[Annotated[str, Field(min_length=1)]] = []
    """Namespaces whose TrainingJobs are run.

    When empty: all, or that of the release where `rbac.scope` is `namespaced`.
    """
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


def values_yaml() -> str:
    """Every value with its default and a comment."""
    return "\n".join([YAML_NOTICE, *_lines(Values(), depth=0)])


def value_rows(model: Model | None = None, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """Path, default and description of every value that is no group."""
    model = Values() if model is None else model
    for name, text, value in _fields(model):
        if isinstance(value, Model):
            yield from value_rows(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value, text


def _lines(model: Model, *, depth: int) -> Iterator[str]:
    indent = "  " * depth
    for name, text, value in _fields(model):
        yield from textwrap.wrap(
            text, width=100, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
        )
        if isinstance(value, Model):
            yield f"{indent}{name}:"
            yield from _lines(value, depth=depth + 1)
        elif isinstance(value, dict) and value:
            yield f"{indent}{name}:"
            yield textwrap.indent(to_yaml(value).rstrip(), f"{indent}  ")
        else:
            yield f"{indent}{name}: {scalar(value)}"
        if depth == 0:
            yield ""


def scalar(value: Any) -> str:
    """One line of YAML; empty text and collections as they are typed."""
    if value in ("", [], {}):
        return json.dumps(value)
    return to_yaml(value).removesuffix("...\n").rstrip()


def _fields(model: Model) -> Iterator[tuple[str, str, Any]]:
    """Wire name, description and value of each field; enums as their wire values."""
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        text = " ".join((field.description or "").split())
        yield field.alias or name, text, value.value if isinstance(value, StrEnum) else value
