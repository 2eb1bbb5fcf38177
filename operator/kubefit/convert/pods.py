"""From the pods of a job to what a TrainingJob says of its workers."""

from typing import Any

from kubefit.api.contract import AGENT_PORT
from kubefit.api.names import CONTAINER
from kubefit.api.v1alpha1 import Runtime
from kubefit.convert import containers, environment, image, program, resources, security, volumes
from kubefit.convert.conversion import Given
from kubefit.convert.fields import Fields
from kubefit.convert.metadata import forget_server
from kubefit.convert.selectors import of_kubeflow, relabelled

_SAME = frozenset(
    {
        "affinity",
        "automountServiceAccountToken",
        "dnsConfig",
        "dnsPolicy",
        "enableServiceLinks",
        "hostAliases",
        "hostIPC",
        "hostNetwork",
        "hostPID",
        "hostUsers",
        "imagePullSecrets",
        "nodeName",
        "nodeSelector",
        "os",
        "overhead",
        "preemptionPolicy",
        "priority",
        "priorityClassName",
        "readinessGates",
        "resourceClaims",
        "resources",
        "runtimeClassName",
        "schedulerName",
        "schedulingGates",
        "serviceAccountName",
        "setHostnameAsFQDN",
        "shareProcessNamespace",
        "terminationGracePeriodSeconds",
        "tolerations",
        "topologySpreadConstraints",
    }
)
"""Fields of a pod that mean the same in the pod template of a TrainingJob."""


def workers(
    pod: Fields,
    container: Fields,
    beside: list[dict[str, Any]],
    given: Given,
    names: dict[str, str],
) -> dict[str, Any]:
    """The fields of `spec` that say what the workers are and run; empty ones among them.

    Args:
        pod: The specification of a pod, without its containers; all of it is taken or told.
        container: The container that trains; all of it is taken or told.
        beside: The other containers.
        given: What the document does not tell.
        names: Names of jobs that have changed.

    Raises:
        UnconvertibleError: the program cannot be told, or a volume cannot be mounted.

    """
    for part in (pod, container):
        part.left = relabelled(part.left, names)
    beside = relabelled(beside, names)
    found = program.read(container, environment.known(container), given.script)
    others = [containers.apart(one) for one in [*pod.items("initContainers"), *beside]]
    mounted = volumes.of_pod(pod, container, others, given.claim)
    amounts, devices = resources.of_container(container)
    its = image.of_container(container, given.image, gpu=resources.asks_for_nvidia(amounts))
    env, keras_2 = environment.of_container(container, found.env)
    runtime = image.runtime(given.runtime, its, keras_2=keras_2, notes=pod.notes)
    contexts = security.of(pod, container)
    patch = {
        **containers.carried(container),
        "workingDir": found.folder,
        "env": env,
        "resources": {"claims": devices} if devices else {},
        "volumeMounts": mounted.mounts,
        "securityContext": contexts.container,
    }
    patch = filled(patch)
    spec = {
        **_carried(pod),
        "securityContext": contexts.pod,
        "initContainers": others,
        "containers": [{"name": CONTAINER, **patch}] if patch else [],
        "volumes": mounted.of_pod,
    }
    keras = {} if runtime is Runtime.KERAS else {"runtime": runtime.value}
    return {
        "image": its.name,
        "resources": amounts,
        "podTemplate": {"spec": filled(spec)},
        "storage": mounted.storage,
        "volumes": mounted.read_only,
        "script": found.script | keras,
    }


def metadata(template: Fields) -> dict[str, Any]:
    """Labels and annotations of the pods, without those that Kubeflow writes."""
    given = template.part("metadata")
    forget_server(given)
    labels = given.part("labels").carry_all()
    return filled(
        {
            "labels": {name: value for name, value in labels.items() if not of_kubeflow(name)},
            "annotations": given.part("annotations").carry_all(),
        }
    )


def filled(mapping: dict[str, Any]) -> dict[str, Any]:
    """The entries that are not empty."""
    return {name: value for name, value in mapping.items() if value not in (None, {}, [], "")}


def _carried(pod: Fields) -> dict[str, Any]:
    kept = pod.carry(_SAME)
    account = pod.text("serviceAccount")
    if account:
        kept.setdefault("serviceAccountName", account)
    if "serviceAccountName" in kept and "automountServiceAccountToken" not in kept:
        pod.note(
            "serviceAccountName",
            "its token is not mounted: a program that calls the API server needs"
            " automountServiceAccountToken: true in spec.podTemplate.spec",
        )
    if kept.get("hostNetwork"):
        pod.note("hostNetwork", f"two workers on one node would both want port {AGENT_PORT}")
    pod.leave("restartPolicy", "has no effect in a TFJob either; it is left out")
    pod.leave("activeDeadlineSeconds", "spec.runPolicy has one for the job; it is left out")
    for name in ("hostname", "subdomain"):
        pod.leave(name, "workers find one another by names that KubeFit sets; it is left out")
    return kept
