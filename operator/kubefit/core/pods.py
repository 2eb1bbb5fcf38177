"""The workers' pods and the one Indexed Job that makes them."""

from collections.abc import Iterator, Sequence
from typing import Any

from kubefit.api.contract import (
    AGENT_PORT,
    CONFIG_KEY,
    EXIT_MEANINGS,
    ExitCode,
)
from kubefit.api.log_lines import LogFormat
from kubefit.api.names import (
    CONFIG_DIR,
    CONTAINER,
    FETCH_CONTAINER,
    MEMORY_DIR,
    PORT_METRICS,
    TMP_DIR,
    TOKEN_DIR,
    VOLUME_DIR,
    Env,
    VolumeName,
)
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.api.volumes import Volume
from kubefit.core import fetching, gangs, placement, queues
from kubefit.core.merge import merged
from kubefit.core.observed import Defaults

_USER = 65532
_GRACE_SECONDS = 60
_OF_JOB = "batch.kubernetes.io/controller-uid"
"""Label of pods that the Job controller sets: the uid of their Job."""
_OF_AGENTS: tuple[dict[str, Any], ...] = (
    {"name": VolumeName.MEMORY.value, "mountPath": MEMORY_DIR},
    {"name": VolumeName.TOKEN.value, "mountPath": TOKEN_DIR, "readOnly": True},
)
"""For the agents and their trainers alone."""


def token_name(job: TrainingJob) -> str:
    """Name of the Secret of the agents: a job of the same name that is made anew has another."""
    return f"{job.metadata.name}-{job.metadata.uid[:8]}"


def grace_seconds(job: TrainingJob) -> float:
    """Seconds between SIGTERM and SIGKILL of a worker."""
    patched = (job.spec.pod_template or {}).get("spec")
    given = patched.get("terminationGracePeriodSeconds") if isinstance(patched, dict) else None
    return float(given) if isinstance(given, int) and given > 0 else float(_GRACE_SECONDS)


def container_security() -> dict[str, Any]:
    """What Pod Security `restricted` asks of a container, and a read-only root."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def pod_security() -> dict[str, Any]:
    """What Pod Security `restricted` asks of a pod, and no token of the cluster."""
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def tmp_volume() -> dict[str, Any]:
    """The only writable folder beside the job's volume."""
    return {"name": VolumeName.TMP.value, "emptyDir": {}}


def _environment(defaults: Defaults) -> list[dict[str, Any]]:
    job = {"fieldRef": {"fieldPath": f"metadata.labels['{_OF_JOB}']"}}
    found: list[dict[str, Any]] = [
        {"name": Env.RUN_CONFIG.value, "value": f"{CONFIG_DIR}/{CONFIG_KEY}"},
        {"name": Env.JOB_UID.value, "valueFrom": job},
    ]
    if defaults.log_format is not LogFormat.TEXT:
        found.append({"name": Env.LOG_FORMAT.value, "value": defaults.log_format.value})
    return found


def _source(volume: Volume) -> dict[str, Any]:
    """A volume of `spec.volumes`, as in a pod."""
    if volume.image is not None:
        return {"name": volume.name, "image": volume.image.model_dump(mode="json", by_alias=True)}
    claim = {"claimName": volume.claim, "readOnly": True}
    return {"name": volume.name, "persistentVolumeClaim": claim}


def _mount(volume: Volume) -> dict[str, Any]:
    return {"name": volume.name, "mountPath": volume.mount_path, "readOnly": True}


def pod_template(
    job: TrainingJob, defaults: Defaults, *, labels: dict[str, str], claim: str
) -> dict[str, Any]:
    """Template of a worker; its rank comes from the Job's completion index."""
    mounts: list[dict[str, Any]] = [
        {"name": VolumeName.VOLUME.value, "mountPath": VOLUME_DIR},
        {"name": VolumeName.CONFIG.value, "mountPath": CONFIG_DIR, "readOnly": True},
        {"name": VolumeName.TMP.value, "mountPath": TMP_DIR},
    ]
    container = {
        "name": CONTAINER,
        "image": job.spec.image or defaults.image,
        "imagePullPolicy": defaults.image_pull_policy,
        "env": _environment(defaults),
        "ports": [{"name": PORT_METRICS, "containerPort": AGENT_PORT, "protocol": "TCP"}],
        "readinessProbe": {
            "httpGet": {"path": "/healthz", "port": PORT_METRICS},
            "periodSeconds": 2,
            "timeoutSeconds": 5,
        },
        "resources": job.spec.resources.model_dump(by_alias=True),
        "securityContext": container_security(),
        "volumeMounts": [*mounts, *_OF_AGENTS, *(_mount(volume) for volume in job.spec.volumes)],
    }
    spec = {
        **pod_security(),
        "restartPolicy": "Never",
        "subdomain": job.metadata.name,
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "imagePullSecrets": [{"name": name} for name in defaults.image_pull_secrets],
        "containers": [container],
        "volumes": [
            {"name": VolumeName.VOLUME.value, "persistentVolumeClaim": {"claimName": claim}},
            {"name": VolumeName.CONFIG.value, "configMap": {"name": job.metadata.name}},
            tmp_volume(),
            # Counts against the memory limit of the container that writes it.
            {"name": VolumeName.MEMORY.value, "emptyDir": {"medium": "Memory"}},
            {
                "name": VolumeName.TOKEN.value,
                "secret": {"secretName": token_name(job), "defaultMode": 0o440},
            },
            *(_source(volume) for volume in job.spec.volumes),
            *fetching.volumes(job),
        ],
    }
    first = fetching.containers(job, container, mounts=mounts)
    if first:
        spec["initContainers"] = first
    template = gangs.grouped(job, defaults, {"metadata": {"labels": labels}, "spec": spec})
    return placement.placed(job, merged(template, job.spec.pod_template or {}))


def pod_failure_policy(containers: Sequence[str]) -> dict[str, Any]:
    """What the Job controller does at each exit code, from the table of the contract."""
    permanent = [code for code, m in EXIT_MEANINGS.items() if m.permanent and code]
    free = [code for code, m in EXIT_MEANINGS.items() if not m.permanent and not m.charged]

    def on(action: str, codes: list[ExitCode]) -> Iterator[dict[str, Any]]:
        values = sorted(int(code) for code in codes)
        for name in containers:
            matched = {"containerName": name, "operator": "In", "values": values}
            yield {"action": action, "onExitCodes": matched}

    return {
        "rules": [
            *on("FailJob", permanent),
            *on("Ignore", free),
            {
                "action": "Ignore",
                "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
            },
        ]
    }


def changeable(job: TrainingJob) -> dict[str, Any]:
    """The fields of an existing Job that may still change."""
    policy = job.spec.run_policy
    return {
        "parallelism": job.spec.workers,
        "completions": job.spec.workers,
        "backoffLimit": policy.max_restarts,
        "activeDeadlineSeconds": policy.active_deadline_seconds,
    }


def indexed_job(
    job: TrainingJob,
    defaults: Defaults,
    *,
    metadata: dict[str, Any],
    labels: dict[str, str],
    claim: str,
) -> dict[str, Any]:
    """The Job that keeps one pod per rank; one for a queue waits to be admitted."""
    template = pod_template(job, defaults, labels=labels, claim=claim)
    waits = {"suspend": True} if queues.queue(job) else {}
    fields = {key: value for key, value in changeable(job).items() if value is not None}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            **waits,
            **fields,
            "completionMode": "Indexed",
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": pod_failure_policy(
                [CONTAINER, FETCH_CONTAINER] if job.spec.fetch else [CONTAINER]
            ),
            "template": template,
        },
    }
