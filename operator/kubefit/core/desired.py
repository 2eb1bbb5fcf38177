"""All objects that a TrainingJob asks for, in the order in which they are applied."""

import hashlib
import json

from kubefit.api.names import GROUP, ROLE_WORKER
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.core import gangs, objects, pods, queues
from kubefit.core.observed import Defaults, Object

APPLIED = f"{GROUP}/applied"
"""Annotation of the Job: digest of the specification that was applied last."""
_PODS = f"{GROUP}/pods"
"""Annotation of the Job: digest of that part from which its pods were made."""
_POD_RESTARTS = f"{GROUP}/pod-restarts"
"""Annotation of the Job: pods that were lost before it was made, as it counts from zero."""
_OF_PODS = {"image", "resources", "pod_template", "scheduling"}


def digest(job: TrainingJob, only: set[str] | None = None) -> str:
    """Digest of what a specification, or some fields of it, says beyond the defaults.

    Not of the objects, nor of the defaults, of which a newer resource definition puts more into
    what is stored: a newer operator finds the same digest and leaves running jobs alone.
    """
    said = job.spec.model_dump(
        mode="json", by_alias=True, include=only, exclude_none=True, exclude_defaults=True
    )
    text = json.dumps(said, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def desired(
    job: TrainingJob, defaults: Defaults, *, spec_digest: str, pod_restarts: int = 0
) -> tuple[Object, ...]:
    """Children of the job, which has lost so many pods.

    The Indexed Job is last, so that it finds what its pods need. A PodGroup is first: where
    the cluster has none, nothing is made.
    """
    metadata = objects.metadata(job, ROLE_WORKER)
    labels = metadata["labels"]
    metadata["labels"] = labels | queues.labels(job)
    metadata["annotations"] = {
        **queues.annotations(job),
        **gangs.annotations(job, defaults),
        APPLIED: spec_digest,
        _PODS: digest(job, _OF_PODS),
        **({_POD_RESTARTS: str(pod_restarts)} if pod_restarts else {}),
    }
    claim = objects.claim_name(job)
    made = pods.indexed_job(job, defaults, metadata=metadata, labels=labels, claim=claim)
    group = gangs.group(job, defaults, metadata=objects.metadata(job, ROLE_WORKER))
    return (*group, *lasting(job, defaults), made)


def lasting(job: TrainingJob, defaults: Defaults) -> tuple[Object, ...]:
    """Those children that stay while the job is suspended."""
    found: list[Object] = [objects.service(job), objects.config_map(job)]
    if defaults.network_policies:
        found.append(objects.network_policy(job))
    if job.spec.storage.create:
        found.append(objects.claim(job, job.spec.storage.create))
    if job.spec.tensorboard.enabled:
        found.extend(objects.tensorboard(job, defaults))
    return tuple(found)


def up_to_date(existing: Object, job: TrainingJob, *, spec_digest: str) -> bool:
    """Whether the Job that exists already is what the specification asks for."""
    applied = existing["metadata"].get("annotations", {}).get(APPLIED)
    return applied == spec_digest and not queues.moved(existing, job)


def outdated(existing: Object, job: TrainingJob, *, spec_digest: str, was_suspended: bool) -> bool:
    """Whether the Job that exists makes other pods than are asked for, which only a new one does.

    So it is after a change while the job was suspended, if it was resumed at once. A Job without
    the digest of its pods is of an earlier operator, which suspended the Job too: nobody would
    start it now, and its pods may be the wrong ones.
    """
    annotations = existing["metadata"].get("annotations", {})
    made = annotations.get(_PODS)
    if made is not None:
        return bool(made != digest(job, _OF_PODS))
    suspends = bool(existing.get("spec", {}).get("suspend"))
    return was_suspended or (suspends and annotations.get(APPLIED) != spec_digest)


def change(existing: Object, job: TrainingJob, *, spec_digest: str) -> Object:
    """What a changed specification asks of the Job that exists.

    A Job's pod template cannot change, so only the changeable fields are sent.
    """
    moved = queues.moved(existing, job)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job.metadata.name,
            "namespace": job.metadata.namespace,
            **moved,
            "annotations": {
                APPLIED: spec_digest,
                _PODS: digest(job, _OF_PODS),
                **moved.get("annotations", {}),
            },
        },
        "spec": pods.changeable(job),
    }


def earlier_pod_restarts(existing: Object) -> int:
    """Pods that the TrainingJob had lost before this Job of it was made."""
    return int(existing["metadata"].get("annotations", {}).get(_POD_RESTARTS, 0))


def ending(existing: Object | None, defaults: Defaults) -> tuple[Object, ...]:
    """The Job to delete, which ends its pods, and before it its PodGroup.

    Of a PodGroup little can change; the next Job has another. None where there is no Job or it
    goes already.
    """
    if existing is None or "deletionTimestamp" in existing["metadata"]:
        return ()
    meta = {name: existing["metadata"][name] for name in ("name", "namespace", "uid")}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta}
    return (*gangs.group_of(existing, defaults), job)
