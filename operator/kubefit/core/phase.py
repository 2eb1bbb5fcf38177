"""The phase of an accepted job, from its Job, its pods and its chief."""

import datetime

from kubefit.api.contract import AgentPhase, TrainerPhase, TrainerReport, WorkerStatus
from kubefit.api.names import Phase
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.core import workers
from kubefit.core.observed import Object, Observed

FINAL = frozenset({Phase.SUCCEEDED, Phase.FAILED})
AT_REST = frozenset({Phase.SUSPENDED, Phase.QUEUED})
"""The job wants no pods for now."""
_AT_WORK = frozenset(TrainerPhase) - {TrainerPhase.STARTING}
_UNREADY = datetime.timedelta(minutes=1)
"""So long a pod of a job that runs may be unready while nobody hears of the chief."""


def job_condition(job: Object | None, kind: str) -> Object | None:
    """The Job's condition of that type, when it is true."""
    if job is None:
        return None
    for condition in job.get("status", {}).get("conditions", ()):
        if condition["type"] == kind and condition["status"] == "True":
            found: Object = condition
            return found
    return None


def failed(job: Object | None) -> Object | None:
    """The condition by which the Job has failed.

    Past its deadline it has as soon as its pods are told to end: on a node that is lost they never
    do, and the Job controller waits for them.
    """
    target = job_condition(job, "FailureTarget")
    late = target is not None and target.get("reason") == "DeadlineExceeded"
    return job_condition(job, "Failed") or (target if late else None)


def phase_of(job: TrainingJob, observed: Observed) -> Phase:
    """Running only while every rank that is needed is in place and the chief trains."""
    if job_condition(observed.job, "Complete"):
        return Phase.SUCCEEDED
    if failed(observed.job):
        return Phase.FAILED
    if job.spec.run_policy.suspend:
        return Phase.SUSPENDED
    if observed.job and observed.job.get("spec", {}).get("suspend"):
        return Phase.QUEUED
    latest = workers.latest(observed.pods)
    phases = {rank: workers.phase(pod) for rank, pod in latest.items()}
    everybody = set(phases) >= set(range(job.spec.workers))
    if in_place(job, observed) and _at_work(job, observed, phases):
        return Phase.RUNNING
    if _meets_again(observed) or any(workers.phase(pod) == "Failed" for pod in observed.pods):
        return Phase.RESTARTING
    scheduled = everybody and all(
        phase != "Pending" or workers.fetches(latest[rank]) for rank, phase in phases.items()
    )
    return Phase.STARTING if scheduled else Phase.PENDING


def needed(job: TrainingJob, observed: Observed) -> int:
    """How many workers train while the job runs: an elastic one goes on with fewer."""
    if job.spec.elastic is None:
        return job.spec.workers
    return observed.chief.workers if observed.chief else job.spec.elastic.min_workers


def trains(report: TrainerReport | None) -> bool:
    """Whether that is the report of a trainer that has begun to train."""
    return report is not None and report.phase in _AT_WORK


def in_place(job: TrainingJob, observed: Observed) -> bool:
    """Whether the chief and as many ranks as are needed train or are done.

    At its end a worker stops answering a moment before its pod is said to be over; a job that was
    running counts as running through that moment. While the chief answers, it knows best who is
    there: pods of a node that the control plane cannot reach are unready and train.
    """
    lasts = job.status.phase is Phase.RUNNING
    present = {
        rank
        for rank, pod in workers.latest(observed.pods).items()
        if rank < job.spec.workers
        and (
            workers.phase(pod) == "Succeeded"
            or workers.ready(pod)
            or (lasts and _may_answer(pod, observed))
        )
    }
    return 0 in present and len(present) >= needed(job, observed)


def _may_answer(pod: Object, observed: Observed) -> bool:
    if workers.phase(pod) != "Running":
        return False
    since = workers.unready_since(pod)
    return observed.chief is not None or since is None or observed.now <= since + _UNREADY


def _meets_again(observed: Observed) -> bool:
    """Whether the agents are between two attempts, or in one that is no first."""
    return observed.chief is not None and observed.chief.last_cause is not None


def _at_work(job: TrainingJob, observed: Observed, phases: dict[int, str]) -> bool:
    if phases[0] == "Succeeded":
        return True
    if observed.chief is None:
        return job.status.phase is Phase.RUNNING
    return trains(observed.chief.report) and not _between_attempts(observed.chief)


def _between_attempts(chief: WorkerStatus) -> bool:
    """Whether the trainer that the chief last had is gone, and not because training is done."""
    if chief.phase is not AgentPhase.WAITING:
        return False
    cause, report = chief.last_cause, chief.report
    failed = cause is not None and cause.attempt == chief.attempt
    return failed or report is None or report.phase is not TrainerPhase.DONE
