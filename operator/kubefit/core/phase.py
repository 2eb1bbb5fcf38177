"""The phase of an accepted job, from its Job, its pods and its chief."""

from kubefit.api.contract import TrainerPhase
from kubefit.api.names import Phase
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.core import workers
from kubefit.core.observed import Object, Observed

FINAL = frozenset({Phase.SUCCEEDED, Phase.FAILED})
_AT_WORK = frozenset(TrainerPhase) - {TrainerPhase.STARTING}


def job_condition(job: Object | None, kind: str) -> Object | None:
    """The Job's condition of that type, when it is true."""
    if job is None:
        return None
    for condition in job.get("status", {}).get("conditions", ()):
        if condition["type"] == kind and condition["status"] == "True":
            found: Object = condition
            return found
    return None


def phase_of(job: TrainingJob, observed: Observed) -> Phase:
    """Running only while every rank is in place and the chief trains."""
    if job_condition(observed.job, "Complete"):
        return Phase.SUCCEEDED
    if job_condition(observed.job, "Failed"):
        return Phase.FAILED
    if job.spec.run_policy.suspend:
        return Phase.SUSPENDED
    latest = workers.latest(observed.pods)
    phases = {rank: workers.phase(pod) for rank, pod in latest.items()}
    everybody = set(phases) >= set(range(job.spec.workers))
    if everybody and _in_place(job, latest) and _at_work(job, observed, phases):
        return Phase.RUNNING
    if _meets_again(observed) or any(workers.phase(pod) == "Failed" for pod in observed.pods):
        return Phase.RESTARTING
    scheduled = everybody and all(
        phase != "Pending" or workers.fetches(latest[rank]) for rank, phase in phases.items()
    )
    return Phase.STARTING if scheduled else Phase.PENDING


def _in_place(job: TrainingJob, latest: dict[int, Object]) -> bool:
    """Whether every rank trains or is done.

    At its end a worker stops answering a moment before its pod is said to be over; a job that was
    running counts as running through that moment.
    """
    pods = [latest[rank] for rank in range(job.spec.workers)]
    if job.status.phase is Phase.RUNNING:
        return all(workers.phase(pod) in ("Running", "Succeeded") for pod in pods)
    return all(workers.phase(pod) == "Succeeded" or workers.ready(pod) for pod in pods)


def _meets_again(observed: Observed) -> bool:
    """Whether the agents are between two attempts, or in one that is no first."""
    return observed.chief is not None and observed.chief.last_cause is not None


def _at_work(job: TrainingJob, observed: Observed, phases: dict[int, str]) -> bool:
    if phases[0] == "Succeeded":
        return True
    if observed.chief is None:
        return job.status.phase is Phase.RUNNING
    report = observed.chief.report
    return report is not None and report.phase in _AT_WORK
