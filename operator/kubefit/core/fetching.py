"""The workers' first container, which carries out `spec.fetch`, and the Secrets that it reads."""

import hashlib
from collections.abc import Sequence
from typing import Any

from kubefit.api.names import FETCH_CONTAINER, LABEL_RUN, SECRETS_DIR, Env
from kubefit.api.v1alpha1 import TrainingJob

_SHARED = ("image", "imagePullPolicy", "resources", "securityContext")


def containers(
    job: TrainingJob, trainer: dict[str, Any], *, mounts: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The container that fetches, if anything is to be fetched.

    It may use what the trainer may, which asks for nothing more of the node; of volumes it has
    `mounts`, and alone it has the Secrets.
    """
    if not job.spec.fetch:
        return []
    run = {"fieldRef": {"fieldPath": f"metadata.labels['{LABEL_RUN}']"}}
    secrets = [
        {"name": _volume(name), "mountPath": f"{SECRETS_DIR}/{name}", "readOnly": True}
        for name in _secrets(job)
    ]
    container = {
        "name": FETCH_CONTAINER,
        **{key: trainer[key] for key in _SHARED},
        "command": ["tini", "--", "python", "-m", "kubefit_trainer.fetch"],
        "env": [*trainer["env"], {"name": Env.RUN.value, "valueFrom": run}],
        "volumeMounts": [*mounts, *secrets],
    }
    return [container]


def volumes(job: TrainingJob) -> list[dict[str, Any]]:
    """The Secrets as volumes of the pod.

    They are optional: the container says in words that one is missing; a mount waits for ever.
    """
    return [
        {
            "name": _volume(name),
            "secret": {"secretName": name, "optional": True, "defaultMode": 0o440},
        }
        for name in _secrets(job)
    ]


def _secrets(job: TrainingJob) -> list[str]:
    return list(dict.fromkeys(f.secret_name for f in job.spec.fetch if f.secret_name))


def _volume(secret: str) -> str:
    """A name of 63 characters at most."""
    return f"secret-{hashlib.sha256(secret.encode()).hexdigest()[:16]}"
