"""Series of the TrainingJobs there are, from what is stored of them."""

import datetime
from collections import Counter as Tally
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from kubefit.api.names import ConditionType, Phase
from kubefit.api.v1alpha1 import RunPolicy
from kubefit.controller.worklist import Key
from kubefit.core.observed import Object
from kubefit.core.phase import AT_REST, FINAL

_WAITING = frozenset({Phase.PENDING, Phase.STARTING, Phase.RESTARTING})
_BEFORE = frozenset({Phase.PENDING, Phase.STARTING}) | AT_REST
"""Phases of a job that may not have trained yet."""
_JOB = ["namespace", "training_job"]
_START_BUCKETS = (5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0)
_DURATION_BUCKETS = (
    60.0,
    300.0,
    900.0,
    1800.0,
    3600.0,
    7200.0,
    14400.0,
    43200.0,
    86400.0,
    604800.0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    phase: Phase
    since: float | None
    """When it last trained, was made or was resumed, where it waits; in Unix seconds."""
    rested: bool
    """Whether it was seen suspended or queued."""
    trained: bool
    """Whether it was seen to train, or to have trained."""
    restarts: int
    max_restarts: int
    claim: str | None


class JobSeries(Collector):
    """All series of a job but its phase end when it does; that ends with the TrainingJob."""

    def __init__(self) -> None:
        self._jobs: dict[Key, _Job] = {}
        self._starts = Histogram(
            "kubefit_job_start_latency_seconds",
            "From the making of a TrainingJob to its training, unless it was suspended or queued.",
            buckets=_START_BUCKETS,
            registry=None,
        )
        self._durations = Histogram(
            "kubefit_job_duration_seconds",
            "From the making of a TrainingJob to its end, unless it was suspended or queued.",
            ["result"],
            buckets=_DURATION_BUCKETS,
            registry=None,
        )
        self._restarts = Counter(
            "kubefit_jobs_restarted",
            "Restarts charged to TrainingJobs, by the reason of the failure.",
            ["namespace", "reason"],
            registry=None,
        )

    def see(
        self, key: Key, resource: Object, *, phase: Phase, status: Object, now: datetime.datetime
    ) -> None:
        """Takes over what the operator has just said of a job."""
        before = self._jobs.get(key)
        spec = resource["spec"]
        policy = spec.get("runPolicy", {})
        storage = spec.get("storage")
        rested = (before is not None and before.rested) or phase in AT_REST
        restarts = int(status.get("restarts", 0))
        if before:
            if phase is Phase.RUNNING and not before.trained and not rested:
                self._starts.observe(_age(resource, now))
            if phase in FINAL and before.phase not in FINAL and not rested:
                self._durations.labels(phase.value).observe(_age(resource, now))
            if restarts > before.restarts:
                reason = (status.get("failure") or {}).get("reason", "Unknown")
                self._restarts.labels(key[0], reason).inc(restarts - before.restarts)
        self._jobs[key] = _Job(
            phase=phase,
            since=_began_to_wait(status) if phase in _WAITING else None,
            rested=rested,
            trained=(before is not None and before.trained) or phase not in _BEFORE,
            restarts=restarts,
            max_restarts=int(policy.get("maxRestarts", RunPolicy().max_restarts)),
            claim=storage.get("claim", key[1]) if storage else None,
        )

    def forget(self, key: Key) -> None:
        """The job is gone."""
        self._jobs.pop(key, None)

    def collect(self) -> Iterable[Metric]:
        """One family for each metric, whether it has series or not."""
        jobs = GaugeMetricFamily(
            "kubefit_jobs", "TrainingJobs there are.", labels=["namespace", "phase"]
        )
        tally = Tally((key[0], job.phase.value) for key, job in self._jobs.items())
        for labels, number in sorted(tally.items()):
            jobs.add_metric(labels, number)
        yield jobs
        yield from self._starts.collect()
        yield from self._durations.collect()
        yield from self._restarts.collect()
        yield from self._of_unfinished()

    def _of_unfinished(self) -> Iterator[Metric]:
        since = GaugeMetricFamily(
            "kubefit_job_waiting_since_timestamp_seconds",
            "When a TrainingJob that is to train and does not began to wait.",
            labels=[*_JOB, "phase"],
        )
        restarts = GaugeMetricFamily(
            "kubefit_job_restarts",
            "Restarts charged to a TrainingJob that is not over.",
            labels=_JOB,
        )
        allowed = GaugeMetricFamily(
            "kubefit_job_max_restarts",
            "`spec.runPolicy.maxRestarts` of a TrainingJob that is not over.",
            labels=_JOB,
        )
        volume = InfoMetricFamily(
            "kubefit_job_volume", "The claim of a TrainingJob that is not over.", labels=_JOB
        )
        for key, job in self._jobs.items():
            if job.phase in FINAL:
                continue
            if job.since is not None:
                since.add_metric([*key, job.phase.value], job.since)
            restarts.add_metric(key, job.restarts)
            allowed.add_metric(key, job.max_restarts)
            if job.claim is not None:
                volume.add_metric(key, {"persistentvolumeclaim": job.claim})
        yield from (since, restarts, allowed, volume)


def _age(resource: Object, now: datetime.datetime) -> float:
    made = datetime.datetime.fromisoformat(resource["metadata"]["creationTimestamp"])
    return (now - made).total_seconds()


def _began_to_wait(status: Object) -> float | None:
    """When it was made or resumed; of a job that has trained since, when it last trained.

    None before anything is said of it; where it was not accepted, that alone may be said.
    """
    if status.get("waitStartTime"):
        return _seconds(status["waitStartTime"])
    for kind in (ConditionType.PROGRESSING, ConditionType.ACCEPTED):
        for condition in status.get("conditions", ()):
            if condition["type"] == kind and condition["status"] == "False":
                return _seconds(condition["lastTransitionTime"])
    return None


def _seconds(stamp: str) -> float:
    return datetime.datetime.fromisoformat(stamp).timestamp()
