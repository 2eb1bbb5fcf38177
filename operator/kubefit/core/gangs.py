"""`spec.scheduling.gang`: the PodGroup of a job, and how its pods name it, for each scheduler.

The operator makes it, and not `spec.scheduling` of the Job: the Job controller makes PodGroups only
for Jobs that nobody owns.
"""

from collections.abc import Mapping
from typing import Any

from kubefit.api.names import GROUP, GangScheduler
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.core.merge import merged
from kubefit.core.observed import Defaults, Object

API_VERSIONS: Mapping[GangScheduler, str] = {
    GangScheduler.KUBERNETES: "scheduling.k8s.io/v1beta1",
    GangScheduler.COSCHEDULING: "scheduling.x-k8s.io/v1alpha1",
    GangScheduler.VOLCANO: "scheduling.volcano.sh/v1beta1",
}
"""API of the PodGroups of each."""
_MADE_FOR = f"{GROUP}/gang-scheduler"
"""Annotation of the Job: the scheduler whose PodGroup was made for it."""
_QUEUE = "scheduling.volcano.sh/queue-name"


def group(job: TrainingJob, defaults: Defaults, *, metadata: dict[str, Any]) -> tuple[Object, ...]:
    """The job's PodGroup; none unless it asks for one and there is who heeds it."""
    scheduler = _scheduler(job, defaults)
    if scheduler is None:
        return ()
    elastic = job.spec.elastic
    least = elastic.min_workers if elastic else job.spec.workers
    if scheduler is GangScheduler.KUBERNETES:
        spec: dict[str, Any] = {"schedulingPolicy": {"gang": {"minCount": least}}}
        if not elastic:
            # Those that are left after a preemption would only hold their nodes.
            spec["disruptionMode"] = {"all": {}}
    else:
        spec = {"minMember": least}
    priority = _priority_class(job)
    if priority and scheduler is not GangScheduler.COSCHEDULING:
        spec["priorityClassName"] = priority
    queue = job.metadata.annotations.get(_QUEUE)
    if queue and scheduler is GangScheduler.VOLCANO:
        spec["queue"] = queue
    api_version = API_VERSIONS[scheduler]
    return ({"apiVersion": api_version, "kind": "PodGroup", "metadata": metadata, "spec": spec},)


def annotations(job: TrainingJob, defaults: Defaults) -> dict[str, str]:
    """Annotations of the Job, by which its PodGroup is found when none is asked for any more."""
    scheduler = _scheduler(job, defaults)
    return {_MADE_FOR: scheduler.value} if scheduler else {}


def group_of(existing: Object, defaults: Defaults) -> tuple[Object, ...]:
    """The PodGroup that a Job has; none of a scheduler to which the operator has no rights now."""
    scheduler, metadata = defaults.gang_scheduler, existing["metadata"]
    made_for = metadata.get("annotations", {}).get(_MADE_FOR)
    if scheduler is None or made_for != scheduler.value:
        return ()
    named = {name: metadata[name] for name in ("name", "namespace")}
    return ({"apiVersion": API_VERSIONS[scheduler], "kind": "PodGroup", "metadata": named},)


def grouped(job: TrainingJob, defaults: Defaults, template: dict[str, Any]) -> dict[str, Any]:
    """The pod template with what makes its pods members of the job's PodGroup."""
    scheduler, name = _scheduler(job, defaults), job.metadata.name
    patch: dict[str, Any] = {}
    match scheduler:
        case None:
            return template
        case GangScheduler.KUBERNETES:
            patch = {"spec": {"schedulingGroup": {"podGroupName": name}}}
        case GangScheduler.COSCHEDULING:
            patch = {"metadata": {"labels": {"scheduling.x-k8s.io/pod-group": name}}}
        case GangScheduler.VOLCANO:
            patch = {
                "metadata": {"annotations": {"scheduling.k8s.io/group-name": name}},
                "spec": {"schedulerName": "volcano"},
            }
    if defaults.gang_scheduler_name:
        patch = merged(patch, {"spec": {"schedulerName": defaults.gang_scheduler_name}})
    result: dict[str, Any] = merged(template, patch)
    return result


def _scheduler(job: TrainingJob, defaults: Defaults) -> GangScheduler | None:
    return defaults.gang_scheduler if job.spec.scheduling.gang else None


def _priority_class(job: TrainingJob) -> str:
    patched = (job.spec.pod_template or {}).get("spec")
    name = patched.get("priorityClassName") if isinstance(patched, dict) else None
    return name if isinstance(name, str) else ""
