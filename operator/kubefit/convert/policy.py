"""From the policies of a TFJob to `spec.runPolicy`."""

from typing import Any

from kubefit.convert.fields import Fields

_MOST_RESTARTS = 1000
_SAME = ("suspend", "activeDeadlineSeconds", "ttlSecondsAfterFinished")
_OF_KUBEFLOW = ("", "kubeflow.org/training-operator", "trainer.kubeflow.org/trainjob-controller")
_NO_GANG = (
    "is left out: spec.scheduling.gang asks for all workers at once where KubeFit is installed with"
    " a gang scheduler; without, workers that have a node wait for the others"
)
_RESTARTS = {
    "ExitCode": (
        "what is tried again follows from the cause, not from the exit code: a killed process or"
        " a lost pod is, an error or exit of the program is not"
    ),
    "OnFailure": "a killed process or a lost pod is tried again, an error of the program is not",
    "Always": "a killed process or a lost pod is tried again, an error of the program is not",
}


def run_policy(spec: Fields, replica: Fields) -> tuple[dict[str, Any], str]:
    """`spec.runPolicy`, and the priority class that the policies ask for.

    Older TFJobs have the fields of `runPolicy` in `spec` itself.
    """
    found: dict[str, Any] = {}
    priority = ""
    restart_policy = replica.text("restartPolicy")
    for fields in (spec, spec.part("runPolicy")):
        found |= fields.carry(_SAME)
        found |= _restarts(fields, restart_policy)
        _clean_pod_policy(fields)
        _managed_by(fields)
        priority = _scheduling(fields.part("schedulingPolicy")) or priority
    if restart_policy == "Never":
        found["maxRestarts"] = 0
        replica.note(
            "restartPolicy",
            "spec.runPolicy.maxRestarts is 0; without it a job goes on at its step after a"
            " failure, up to 3 times",
        )
    elif restart_policy:
        replica.note("restartPolicy", _RESTARTS.get(restart_policy, "is unknown and left out"))
    _success(spec)
    return found, priority


def _restarts(fields: Fields, restart_policy: str) -> dict[str, Any]:
    if "backoffLimit" not in fields:
        return {}
    limit = fields.number("backoffLimit") or 0
    if restart_policy == "Never":
        fields.note("backoffLimit", "has no effect beside restartPolicy Never; it is left out")
        return {}
    if limit > _MOST_RESTARTS:
        fields.note("backoffLimit", f"spec.runPolicy.maxRestarts is {_MOST_RESTARTS} at most")
    return {"maxRestarts": min(limit, _MOST_RESTARTS)}


def _clean_pod_policy(fields: Fields) -> None:
    policy = fields.take("cleanPodPolicy")
    if policy == "None":
        fields.note(
            "cleanPodPolicy",
            "pods that have ended stay, but when a job fails those that still run are ended; what"
            " they printed is on the volume",
        )
    elif policy not in (None, "Running"):
        fields.note(
            "cleanPodPolicy",
            "pods that have ended stay until the TrainingJob is deleted, which"
            " spec.runPolicy.ttlSecondsAfterFinished does",
        )


def _managed_by(fields: Fields) -> None:
    manager = fields.take("managedBy")
    if manager not in (None, *_OF_KUBEFLOW):
        fields.note("managedBy", f"{manager} does not manage TrainingJobs; it is left out")


def _scheduling(policy: Fields) -> str:
    for name in ("minAvailable", "minResources", "scheduleTimeoutSeconds"):
        policy.leave(name, _NO_GANG)
    policy.leave(
        "queue",
        "is left out: the annotation scheduling.volcano.sh/queue-name names a queue of Volcano, the"
        " label kueue.x-k8s.io/queue-name one of Kueue",
    )
    priority = policy.text("priorityClass")
    if priority:
        policy.note("priorityClass", "becomes priorityClassName of the pods")
    return priority


def _success(spec: Fields) -> None:
    policy = spec.take("successPolicy")
    if policy not in (None, "", "AllWorkers"):
        spec.note(
            "successPolicy", f"{policy}: a TrainingJob succeeds when all workers have; left out"
        )
    if spec.take("enableDynamicWorker"):
        spec.note(
            "enableDynamicWorker",
            "spec.elastic.minWorkers lets training go on with fewer workers; it is not set",
        )


def of_trainjob(spec: Fields) -> dict[str, Any]:
    """`spec.runPolicy` of a TrainJob, which has two fields of it."""
    found = spec.carry(_SAME)
    _managed_by(spec)
    return found
