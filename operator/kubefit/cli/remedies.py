"""What comes next for a job: what the operator does by itself, or what there is to do.

Pure.
"""

from kubefit.api.contract import EXIT_MEANINGS, ExitCode
from kubefit.api.names import CONTROLLER, ConditionType, Phase
from kubefit.api.v1alpha1 import Condition, ConditionStatus, TrainingJob

_RESUME = '-p \'{"spec":{"runPolicy":{"suspend":false}}}\''
_OF_REASON = {
    EXIT_MEANINGS[ExitCode.USER_ERROR].reason: "Correct the program, which would fail again",
    EXIT_MEANINGS[ExitCode.CONFIGURATION_ERROR].reason: "Correct what the sentence names",
    EXIT_MEANINGS[ExitCode.OUT_OF_MEMORY].reason: (
        "Raise spec.resources.limits.memory, or lower the global batch"
    ),
    EXIT_MEANINGS[ExitCode.FETCH_FAILED].reason: (
        "See that the store can be reached from the cluster and that its Secret is right"
    ),
    EXIT_MEANINGS[ExitCode.STALLED].reason: (
        "See in the stacks of all threads, at the end of the logs, what the workers waited for"
    ),
    "InvalidSpec": "Correct the specification",
    "InvalidScript": "Correct the program",
    "StartDeadlineExceeded": (
        "Mend what it waited for, or raise spec.runPolicy.startDeadlineSeconds"
    ),
    "DeadlineExceeded": "Raise spec.runPolicy.activeDeadlineSeconds",
}


def next_step(job: TrainingJob, accepted: Condition | None, *, quiet: bool) -> str:
    """One or two sentences; empty where another controller looks after the job.

    Of a job that is `quiet` nothing was heard for long.
    """
    if job.spec.managed_by not in (None, CONTROLLER):
        return ""
    match job.status.phase:
        case None:
            return "One that runs does so within seconds: `kubefit doctor` tells whether it does."
        case Phase.PENDING | Phase.STARTING:
            return _waits(job, accepted)
        case Phase.QUEUED:
            return "It starts by itself once it is admitted."
        case Phase.RESTARTING:
            return "Nothing is to be done: the workers meet again and go on where they were."
        case Phase.SUSPENDED:
            return _suspended(job)
        case Phase.FAILED:
            return _failed(job)
        case Phase.SUCCEEDED:
            return _succeeded(job)
        case Phase.RUNNING if quiet:
            return (
                "The workers train on without an operator; `kubefit doctor` tells whether one runs."
            )
        case Phase.RUNNING:
            return f"Nothing is to be done; `kubefit watch {_named(job)}` shows it to its end."


def _waits(job: TrainingJob, accepted: Condition | None) -> str:
    deadline = job.spec.run_policy.start_deadline_seconds
    ends = f" It fails when it does not train within {deadline} s." if deadline else ""
    if accepted is not None and accepted.status is ConditionStatus.FALSE:
        return f"It starts by itself once that is mended.{ends}"
    return f"It goes on by itself as soon as it can, and need not be submitted again.{ends}"


def _suspended(job: TrainingJob) -> str:
    metadata = job.metadata
    patch = f"kubectl patch tj {metadata.name} -n {metadata.namespace} --type=merge {_RESUME}"
    return f"It rests until spec.runPolicy.suspend is false: `{patch}`."


def _failed(job: TrainingJob) -> str:
    reason = job.status.failure.reason if job.status.failure else ""
    first = _OF_REASON.get(reason, "Mend the cause")
    return f"{first}; then `kubefit delete {_named(job)}` and submit it again{_goes_on(job)}."


def _goes_on(job: TrainingJob) -> str:
    kept = any(c.type is ConditionType.CHECKPOINTED for c in job.status.conditions)
    return ": it goes on from its last checkpoint" if kept and job.spec.checkpoint.resume else ""


def _succeeded(job: TrainingJob) -> str:
    metadata, seconds = job.metadata, job.spec.run_policy.ttl_seconds_after_finished
    claim = job.spec.storage.claim or metadata.name
    goes = f"; the job is deleted {seconds} s after its end" if seconds is not None else ""
    return f"Results are on the claim {claim} in {metadata.namespace}/{metadata.name}{goes}."


def _named(job: TrainingJob) -> str:
    return f"{job.metadata.name} -n {job.metadata.namespace}"
