"""All objects that a TrainingJob asks for, in the order in which they are applied."""

import hashlib
import json
from typing import Any

from kubefit.api.names import GROUP, ROLE_WORKER
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.core import objects, pods
from kubefit.core.observed import Defaults, Object

APPLIED = f"{GROUP}/applied"
"""Annotation of the Job: digest of the specification that was applied last."""


def digest(job: TrainingJob) -> str:
    """Digest of what a specification says beyond the defaults.

    Not of the objects, nor of the defaults, of which a newer resource definition puts more into
    what is stored: a newer operator finds the same digest and leaves running jobs alone.
    """
    said = job.spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    text = json.dumps(said, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def desired(job: TrainingJob, defaults: Defaults, *, spec_digest: str) -> tuple[Object, ...]:
    """Children of the job; the Indexed Job is last, so that it finds what its pods need."""
    found: list[Object] = [objects.service(job), objects.config_map(job)]
    if job.spec.storage.create:
        found.append(objects.claim(job, job.spec.storage.create))
    if job.spec.tensorboard.enabled:
        found.extend(objects.tensorboard(job, defaults))
    metadata = objects.metadata(job, ROLE_WORKER)
    metadata["annotations"] = {APPLIED: spec_digest}
    claim = objects.claim_name(job)
    found.append(pods.indexed_job(job, defaults, metadata=metadata, claim=claim))
    return tuple(found)


def changes(job: TrainingJob, defaults: Defaults, *, spec_digest: str) -> tuple[Object, ...]:
    """What a changed specification asks of children that exist: all but the Job are applied anew.

    A Job's pod template cannot change, so of the Job only the changeable fields are sent.
    """
    fields: dict[str, Any] = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job.metadata.name,
            "namespace": job.metadata.namespace,
            "annotations": {APPLIED: spec_digest},
        },
        "spec": pods.changeable(job),
    }
    return (*desired(job, defaults, spec_digest=spec_digest)[:-1], fields)


def suspension(existing: Object) -> Object | None:
    """The change that makes the Job end its pods; None where it does so already."""
    if existing.get("spec", {}).get("suspend"):
        return None
    meta = existing["metadata"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
        "spec": {"suspend": True},
    }
