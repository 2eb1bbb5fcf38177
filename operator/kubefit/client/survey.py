"""What of a cluster can be seen that jobs depend on; whoever asks may not see all of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kubefit.api.names import API_VERSION, GROUP, PLURAL
from kubefit.client.kubernetes import Cluster
from kubefit.client.refusals import ForbiddenError, NotFoundError

OPERATORS = "app.kubernetes.io/part-of=kubefit,app.kubernetes.io/component=operator"
"""Labels of the operator's Deployment, as the chart gives them."""


class Silence(StrEnum):
    """Why a question has no answer."""

    FORBIDDEN = "forbidden"
    ABSENT = "absent"


Answer = dict[str, Any] | Silence


@dataclass(frozen=True, slots=True)
class Right:
    """Something that a user of KubeFit does in a namespace."""

    verb: str
    resource: str
    group: str = ""
    needed_for: str = ""

    def __str__(self) -> str:
        named = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {named}"


RIGHTS = (
    Right("create", PLURAL, GROUP, "kubefit submit"),
    Right("patch", PLURAL, GROUP, "kubefit submit"),
    Right("get", PLURAL, GROUP, "kubefit get, watch, explain and logs"),
    Right("list", PLURAL, GROUP, "kubefit list"),
    Right("delete", PLURAL, GROUP, "kubefit delete"),
    Right("list", "pods", "", "kubefit logs"),
    Right("get", "pods/log", "", "kubefit logs"),
    Right("list", "events", "", "warnings in kubefit explain"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """The answers, each as the API server gives it."""

    server: str
    namespace: str
    version: Answer
    api: Answer
    """What the group and version of TrainingJobs serve."""
    schema: Answer
    """Their OpenAPI document."""
    operators: Answer
    """Deployments."""
    leases: Mapping[str, Answer]
    """By `namespace/name` of the Deployment of the same name."""
    rights: Mapping[Right, bool]
    space: Answer
    """The namespace."""
    classes: Answer
    volumes: Answer
    nodes: Answer
    dns: Answer
    """EndpointSlices of the cluster's name server."""


def survey(cluster: Cluster, system: str) -> Survey:
    """Asks for all of it; `system` is where an operator is looked for first of all.

    Raises:
        ClusterError: the cluster cannot be asked.

    """
    operators = _operators(cluster, system)
    return Survey(
        server=cluster.server,
        namespace=cluster.namespace,
        version=_ask(cluster, "/version"),
        api=_ask(cluster, f"/apis/{API_VERSION}"),
        schema=_ask(cluster, f"/openapi/v3/apis/{API_VERSION}"),
        operators=operators,
        leases=_leases(cluster, operators),
        rights={
            right: cluster.may(right.verb, right.resource, group=right.group) for right in RIGHTS
        },
        space=_ask(cluster, f"/api/v1/namespaces/{cluster.namespace}"),
        classes=_ask(cluster, "/apis/storage.k8s.io/v1/storageclasses"),
        volumes=_ask(cluster, "/api/v1/persistentvolumes"),
        nodes=_ask(cluster, "/api/v1/nodes"),
        dns=_ask(
            cluster,
            "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices",
            labelSelector="kubernetes.io/service-name=kube-dns",
        ),
    )


def _operators(cluster: Cluster, system: str) -> Answer:
    """In all namespaces; who may not look there may still look into that of the operator."""
    for place in ("", f"/namespaces/{system}"):
        found = _ask(cluster, f"/apis/apps/v1{place}/deployments", labelSelector=OPERATORS)
        if found is not Silence.FORBIDDEN:
            return found
    return Silence.FORBIDDEN


def _leases(cluster: Cluster, operators: Answer) -> dict[str, Answer]:
    if isinstance(operators, Silence):
        return {}
    base = "/apis/coordination.k8s.io/v1/namespaces"
    names = [(o["metadata"]["namespace"], o["metadata"]["name"]) for o in operators["items"]]
    return {
        f"{namespace}/{name}": _ask(cluster, f"{base}/{namespace}/leases/{name}")
        for namespace, name in names
    }


def _ask(cluster: Cluster, path: str, **query: str) -> Answer:
    try:
        return cluster.read(path, **query)
    except ForbiddenError:
        return Silence.FORBIDDEN
    except NotFoundError:
        return Silence.ABSENT
