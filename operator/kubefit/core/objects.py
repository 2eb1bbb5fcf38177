"""The objects of a TrainingJob beside its workers: Service, ConfigMap, claim, TensorBoard."""

from pathlib import PurePosixPath
from typing import Any

from kubefit.api.contract import (
    AGENT_PORT,
    CONFIG_KEY,
    TENSORBOARD_PORT,
    JobFiles,
    RunConfig,
    job_dir,
)
from kubefit.api.names import (
    API_VERSION,
    FIELD_MANAGER,
    KIND,
    LABEL_JOB,
    LABEL_MANAGED_BY,
    LABEL_ROLE,
    PORT_METRICS,
    ROLE_TENSORBOARD,
    ROLE_WORKER,
    VOLUME_DIR,
)
from kubefit.api.v1alpha1 import DeletionPolicy, NewClaim, TrainingJob
from kubefit.core.observed import Defaults, Object
from kubefit.core.pods import (
    container_security,
    grace_seconds,
    pod_security,
    tmp_volume,
    token_name,
)


def labels(job: TrainingJob, role: str) -> dict[str, str]:
    """Labels of everything that belongs to a job."""
    return {
        LABEL_JOB: job.metadata.name,
        LABEL_ROLE: role,
        LABEL_MANAGED_BY: FIELD_MANAGER,
    }


def metadata(job: TrainingJob, role: str = ROLE_WORKER, *, suffix: str = "") -> dict[str, Any]:
    """Metadata of a child that goes when the TrainingJob goes."""
    return {
        "name": job.metadata.name + suffix,
        "namespace": job.metadata.namespace,
        "labels": labels(job, role),
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": job.metadata.name,
                "uid": job.metadata.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }


def claim_name(job: TrainingJob) -> str:
    """The claim that the pods mount: the one named, or the one created under the job's name."""
    return job.spec.storage.claim or job.metadata.name


def service(job: TrainingJob) -> Object:
    """The headless Service through which workers find each other before they are ready."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(job),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {LABEL_JOB: job.metadata.name, LABEL_ROLE: ROLE_WORKER},
            # TensorFlow's servers are on ports that the agents choose and tell each other.
            "ports": [
                {
                    "name": PORT_METRICS,
                    "port": AGENT_PORT,
                    "targetPort": AGENT_PORT,
                    "protocol": "TCP",
                }
            ],
        },
    }


def network_policy(job: TrainingJob) -> Object:
    """Only workers of the job reach its workers, but for the agents' port, which asks for a proof.

    The servers of TensorFlow, on ports of their own, do what anybody asks of them. Further policies
    add to this one.
    """
    workers = {"matchLabels": {LABEL_JOB: job.metadata.name, LABEL_ROLE: ROLE_WORKER}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(job),
        "spec": {
            "podSelector": workers,
            "policyTypes": ["Ingress"],
            "ingress": [
                {"from": [{"podSelector": workers}]},
                {"ports": [{"port": AGENT_PORT, "protocol": "TCP"}]},
            ],
        },
    }


def config_map(job: TrainingJob) -> Object:
    """The run configuration, one for all workers."""
    name, policy = job.metadata.name, job.spec.run_policy
    config = RunConfig(
        namespace=job.metadata.namespace,
        name=name,
        workers=job.spec.workers,
        hosts=f"{name}-{{rank}}.{name}",
        job_dir=job_dir(VOLUME_DIR, job.metadata.namespace, name),
        run=job.metadata.uid,
        checkpoint=job.spec.checkpoint,
        elastic=job.spec.elastic,
        max_restarts=policy.max_restarts,
        restart_window_seconds=policy.restart_window_seconds,
        stall_seconds=policy.stall_seconds,
        warm_spare=policy.warm_spare,
        grace_seconds=grace_seconds(job),
        fetch=job.spec.fetch,
        initial_weights=job.spec.initial_weights,
        histograms=job.spec.tensorboard.histograms,
        profile=job.spec.tensorboard.profile,
        recipe=job.spec.recipe,
        script=job.spec.script,
    )
    # Without defaults: the trainer of an older image does not know what a newer operator could say.
    text = config.model_dump_json(by_alias=True, exclude_none=True, exclude_defaults=True, indent=1)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(job),
        "data": {CONFIG_KEY: text},
    }


def token(job: TrainingJob) -> Object:
    """The Secret with which the workers' agents know each other; what it holds is added later."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {**metadata(job), "name": token_name(job)},
        "type": "Opaque",
        "immutable": True,
    }


def claim(job: TrainingJob, wanted: NewClaim) -> Object:
    """The claim to create; one that is to be retained has no owner."""
    meta = metadata(job)
    if wanted.deletion_policy is DeletionPolicy.RETAIN:
        del meta["ownerReferences"]
    spec: dict[str, Any] = {
        "accessModes": [wanted.access_mode.value],
        "resources": {"requests": {"storage": str(wanted.size)}},
    }
    if wanted.storage_class:
        spec["storageClassName"] = wanted.storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": meta,
        "spec": spec,
    }


def tensorboard_url(job: TrainingJob) -> str:
    """Where the job's TensorBoard is, inside the cluster."""
    host = f"{job.metadata.name}-tensorboard.{job.metadata.namespace}"
    return f"http://{host}:{TENSORBOARD_PORT}"


def tensorboard(job: TrainingJob, defaults: Defaults) -> tuple[Object, Object]:
    """Deployment and Service of the job's TensorBoard."""
    meta = metadata(job, ROLE_TENSORBOARD, suffix="-tensorboard")
    selector = {LABEL_JOB: job.metadata.name, LABEL_ROLE: ROLE_TENSORBOARD}
    logs = JobFiles(PurePosixPath(job_dir(VOLUME_DIR, job.metadata.namespace, job.metadata.name)))
    command = ["tini", "--", "python", "-m", "tensorboard.main", "--logdir", str(logs.tensorboard)]
    command += ["--host", "0.0.0.0", "--port", str(TENSORBOARD_PORT), "--reload_multifile=true"]
    container = {
        "name": "tensorboard",
        "image": job.spec.image or defaults.image,
        "imagePullPolicy": defaults.image_pull_policy,
        "command": command,
        "ports": [{"name": "http", "containerPort": TENSORBOARD_PORT, "protocol": "TCP"}],
        "readinessProbe": {
            "httpGet": {"path": "/", "port": "http"},
            "periodSeconds": 3,
            "timeoutSeconds": 3,
        },
        "resources": job.spec.tensorboard.resources.model_dump(by_alias=True),
        "securityContext": container_security(),
        "volumeMounts": [
            {"name": "volume", "mountPath": VOLUME_DIR},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
    volume = {"name": "volume", "persistentVolumeClaim": {"claimName": claim_name(job)}}
    pod = {
        **pod_security(),
        "imagePullSecrets": [{"name": name} for name in defaults.image_pull_secrets],
        "containers": [container],
        "volumes": [volume, tmp_volume()],
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": selector},
            "template": {"metadata": {"labels": meta["labels"]}, "spec": pod},
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta,
        "spec": {
            "selector": selector,
            "ports": [
                {
                    "name": "http",
                    "port": TENSORBOARD_PORT,
                    "targetPort": "http",
                    "protocol": "TCP",
                }
            ],
        },
    }
    return deployment, service
