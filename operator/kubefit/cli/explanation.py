"""A job in one paragraph: its state, the cause, what comes next, and where to read more.

Pure: a function of what was read of the cluster.
"""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kubefit.api.contract import job_dir
from kubefit.api.names import API_VERSION, CONTROLLER, KIND, ConditionType, Phase
from kubefit.api.v1alpha1 import Condition, ConditionStatus, TrainingJob
from kubefit.cli import remedies
from kubefit.cli.listing import age
from kubefit.cli.progress import why_not_running
from kubefit.cli.screen import numbers
from kubefit.client.pods import Warned, WorkerPod

_RECENT = datetime.timedelta(minutes=15)
"""A warning that was not given again for so long is over."""
_QUIET = datetime.timedelta(minutes=2)
"""A job of which nothing was heard for so long may have no operator."""
_WAITS = (Phase.PENDING, Phase.QUEUED, Phase.STARTING, Phase.RESTARTING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was read of a job and around it."""

    job: TrainingJob
    pods: Sequence[WorkerPod] = ()
    warnings: Sequence[Warned] = ()
    """The newest last."""
    now: datetime.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A job in sentences; one that is empty has nothing to tell."""

    name: str
    namespace: str
    phase: str
    since: datetime.datetime | None
    state: str
    cause: str
    """What it waits for, or why it failed or was restarted."""
    next: str
    """What the operator does by itself, or what there is to do."""
    restarts: str
    checkpoint: str
    logs: str

    @property
    def sentences(self) -> list[str]:
        """The paragraph."""
        parts = (self.state, self.cause, self.next, self.restarts, self.checkpoint, self.logs)
        return [part for part in parts if part]

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        since = self.since and self.since.isoformat()
        return {
            "apiVersion": API_VERSION,
            "kind": f"{KIND}Explanation",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "phase": self.phase,
            "since": since,
            "state": self.state,
            "cause": self.cause,
            "next": self.next,
            "restarts": self.restarts,
            "checkpoint": self.checkpoint,
            "logs": self.logs,
        }


def explained(seen: Seen) -> Explanation:
    """The explanation of a job."""
    job, since = seen.job, _since(seen.job)
    return Explanation(
        name=job.metadata.name,
        namespace=job.metadata.namespace,
        phase=str(job.status.phase or ""),
        since=since,
        state=_state(seen, since),
        cause=" ".join(_causes(seen)),
        next=remedies.next_step(
            job, _condition(job, ConditionType.ACCEPTED), quiet=_quiet(seen) is not None
        ),
        restarts=_restarts(job),
        checkpoint=_checkpoint(job),
        logs=_logs(job),
    )


def _condition(job: TrainingJob, kind: ConditionType) -> Condition | None:
    return next((c for c in job.status.conditions if c.type is kind), None)


def _since(job: TrainingJob) -> datetime.datetime | None:
    """Since when the job is in its phase, as near as its status tells."""
    status = job.status
    if status.completion_time:
        return status.completion_time
    if status.wait_start_time:
        return status.wait_start_time
    progressing = _condition(job, ConditionType.PROGRESSING)
    return progressing.last_transition_time if progressing else _created(job)


def _created(job: TrainingJob) -> datetime.datetime | None:
    stamp = (job.metadata.model_extra or {}).get("creationTimestamp")
    return datetime.datetime.fromisoformat(str(stamp)) if stamp else None


def _state(seen: Seen, since: datetime.datetime | None) -> str:
    job, status = seen.job, seen.job.status
    name = f"{job.metadata.namespace}/{job.metadata.name}"
    if status.phase is None:
        return f"{name} was made{_when(since, seen.now)} and has no state yet."
    if status.phase in (Phase.SUCCEEDED, Phase.FAILED):
        verb = "succeeded" if status.phase is Phase.SUCCEEDED else "failed"
        found = numbers(status.evaluation)
        return f"{name} {verb}{_when(since, seen.now)}{f', with {found}' if found else ''}."
    parts = [f"{status.ready_workers} of {job.spec.workers} workers are ready", *_progress(job)]
    return f"{name} is {status.phase}{_when(since, seen.now, 'since')}: {', '.join(parts)}."


def _progress(job: TrainingJob) -> Iterator[str]:
    found = job.status.progress
    if found is None:
        return
    if found.epoch:
        yield f"epoch {found.epoch}{f' of {found.epochs}' if found.epochs else ''}"
    if found.step is not None:
        yield f"step {found.step}{f' of {found.total_steps}' if found.total_steps else ''}"
    if found.loss is not None:
        yield numbers({"loss": found.loss})


def _when(moment: datetime.datetime | None, now: datetime.datetime, word: str = "at") -> str:
    if moment is None:
        return ""
    passed = age(now - moment)
    ago = f"for {passed}" if word == "since" else f"{passed} ago"
    return f" {word} {moment.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC ({ago})"


def _causes(seen: Seen) -> Iterator[str]:
    job, status = seen.job, seen.job.status
    if job.spec.managed_by not in (None, CONTROLLER):
        yield f"spec.managedBy gives it to {job.spec.managed_by}, so that KubeFit leaves it alone."
        return
    if status.phase is None:
        yield "No operator has looked at it."
    if status.phase in _WAITS:
        wait = _ended(_wait(seen))
        yield f"It {wait}" if wait.startswith("waits ") else f"It waits: {wait}"
        warned = _warning(seen)
        if warned and warned.message not in why_not_running(job):
            about = f"{warned.kind.lower()} {warned.name}"
            yield f"The newest warning about {about} is {warned.reason}: {_ended(warned.message)}"
    failure = status.failure
    if failure is not None and status.phase is not Phase.SUCCEEDED:
        attempt = f", attempt {failure.attempt}" if failure.attempt else ""
        verb = "It failed" if status.phase is Phase.FAILED else "It was last restarted"
        at = _when(failure.time, seen.now) if status.phase is not Phase.FAILED else ""
        yield f"{verb}{at} because of {failure.reason}{attempt}: {_ended(failure.message)}"
    elif status.phase is Phase.FAILED:
        failed = _condition(job, ConditionType.FAILED)
        yield f"It failed: {_ended(failed.message if failed else 'nobody told why')}"
    quiet = _quiet(seen)
    if quiet is not None:
        yield f"Nothing was heard of its progress for {age(quiet)}."
    taken_in = status.observed_generation
    if taken_in is not None and taken_in < job.metadata.generation:
        yield "The newest change of its specification was not taken in yet."


def _quiet(seen: Seen) -> datetime.timedelta | None:
    """For how long nothing was heard of a job that runs, where that is unusual."""
    status = seen.job.status
    told = status.progress.update_time if status.progress else None
    passed = seen.now - told if told and status.phase is Phase.RUNNING else None
    return passed if passed and passed > _QUIET else None


def _wait(seen: Seen) -> str:
    """The operator's sentence, else what the condition of progress says and which pod is behind."""
    job = seen.job
    known = why_not_running(job)
    if known:
        return known
    progressing = _condition(job, ConditionType.PROGRESSING)
    what = progressing.message if progressing else "its pods are not ready"
    latest = {pod.rank: pod for pod in seen.pods}
    behind = [pod for _, pod in sorted(latest.items()) if not pod.ready and not pod.ended]
    if not behind:
        return what
    pod = behind[0]
    more = f", and {len(behind) - 1} more" if len(behind) > 1 else ""
    return f"{what}; rank {pod.rank} (pod {pod.name}) is not ready ({pod.state}){more}"


def _warning(seen: Seen) -> Warned | None:
    """The newest recent warning about what the job is made of."""
    job = seen.job
    names = {(KIND, job.metadata.name), ("Job", job.metadata.name)}
    names |= {("Pod", pod.name) for pod in seen.pods if not pod.ready}
    names.add(("PersistentVolumeClaim", job.spec.storage.claim or job.metadata.name))
    about = [one for one in seen.warnings if (one.kind, one.name) in names and one.time]
    recent = [
        one for one in about if seen.now - datetime.datetime.fromisoformat(one.time) < _RECENT
    ]
    return recent[-1] if recent else None


def _restarts(job: TrainingJob) -> str:
    policy, count = job.spec.run_policy, job.status.restarts
    if job.status.phase in (None, Phase.SUCCEEDED) and not count:
        return ""
    charged = f"{count or 'No'} restart{'' if count == 1 else 's'} charged so far"
    return (
        f"{charged}; more than {policy.max_restarts} within {policy.restart_window_seconds:.0f} s"
        " end the job."
    )


def _checkpoint(job: TrainingJob) -> str:
    found = _condition(job, ConditionType.CHECKPOINTED)
    if found is None:
        trains = job.status.phase in (Phase.RUNNING, Phase.RESTARTING, Phase.FAILED)
        return "No checkpoint was written to the volume." if trains else ""
    if found.status is ConditionStatus.TRUE:
        return f"Newest checkpoint: {_ended(found.message)}"
    return f"Checkpoints cannot be written: {_ended(found.message)}"


def _logs(job: TrainingJob) -> str:
    metadata, status = job.metadata, job.status
    if status.attempt is None and status.failure is None:
        return ""
    rank = status.failure.rank if status.failure and status.phase is Phase.FAILED else None
    only = f" --rank {rank}" if rank is not None else ""
    folder = job_dir("", metadata.namespace, metadata.name)
    claim = job.spec.storage.claim or metadata.name
    return (
        f"Output: `kubefit logs {metadata.name} -n {metadata.namespace}{only}`; all attempts are on"
        f" the claim {claim} in {folder}/logs."
    )


def _ended(text: str) -> str:
    """As a sentence of its own."""
    return text if text.endswith((".", "!", "?")) else f"{text}."
