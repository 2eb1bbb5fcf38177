"""What the operator exports of single jobs, from what it says of them."""

import datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from kubefit.api.names import Phase
from kubefit.controller.job_series import JobSeries

KEY = ("team", "digits")
LABELS = {"namespace": "team", "training_job": "digits"}
NOW = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
SINCE = "kubefit_job_waiting_since_timestamp_seconds"
MINUTE = datetime.timedelta(minutes=1)


class Exported:
    """A registry with the series of jobs alone."""

    def __init__(self) -> None:
        self.series = JobSeries()
        self._registry = CollectorRegistry()
        self._registry.register(self.series)

    def see(self, phase: Phase, *, now: datetime.datetime = NOW, **seen: Any) -> None:
        made = {"creationTimestamp": (NOW - 10 * MINUTE).isoformat()}
        resource = {"metadata": made, "spec": seen.pop("spec", {})}
        self.series.see(KEY, resource, phase=phase, status=seen, now=now)

    def value(self, name: str, **labels: str) -> float | None:
        return self._registry.get_sample_value(name, {**LABELS, **labels})

    def total(self, name: str, **labels: str) -> float | None:
        return self._registry.get_sample_value(name, labels)

    def of_the_job(self) -> set[str]:
        return {
            sample.name
            for family in self._registry.collect()
            for sample in family.samples
            if "training_job" in sample.labels
        }


def condition(kind: str, status: str, since: datetime.datetime) -> dict[str, str]:
    return {"type": kind, "status": status, "lastTransitionTime": since.isoformat()}


def test_a_job_waits_since_it_last_trained() -> None:
    exported = Exported()
    conditions = [
        condition("Accepted", "True", NOW - 9 * MINUTE),
        condition("Progressing", "False", NOW - 3 * MINUTE),
    ]
    exported.see(Phase.RESTARTING, conditions=conditions)
    assert exported.value(SINCE, phase="Restarting") == (NOW - 3 * MINUTE).timestamp()


def test_a_job_that_is_not_accepted_waits_since_it_was_refused() -> None:
    exported = Exported()
    exported.see(Phase.PENDING, conditions=[condition("Accepted", "False", NOW - MINUTE)])
    assert exported.value(SINCE, phase="Pending") == (NOW - MINUTE).timestamp()


@pytest.mark.parametrize("rest", [Phase.SUSPENDED, Phase.QUEUED])
def test_a_job_at_rest_does_not_wait_and_its_rest_is_no_part_of_a_later_wait(rest) -> None:
    exported = Exported()
    conditions = [condition("Progressing", "False", NOW - 60 * MINUTE)]
    exported.see(rest, conditions=conditions)
    assert SINCE not in exported.of_the_job()
    resumed = NOW + 600 * MINUTE
    waits = {"conditions": conditions, "waitStartTime": resumed.isoformat()}
    exported.see(Phase.PENDING, now=resumed, **waits)
    assert exported.value(SINCE, phase="Pending") == resumed.timestamp()
    restarted = Exported()
    restarted.see(Phase.PENDING, now=resumed + MINUTE, **waits)
    assert restarted.value(SINCE, phase="Pending") == resumed.timestamp()


def test_restarts_are_told_beside_what_is_allowed() -> None:
    exported = Exported()
    exported.see(Phase.RUNNING, restarts=2, spec={"runPolicy": {"maxRestarts": 5}})
    assert exported.value("kubefit_job_restarts") == 2
    assert exported.value("kubefit_job_max_restarts") == 5
    exported.see(Phase.RUNNING)
    assert exported.value("kubefit_job_max_restarts") == 3


def test_the_claim_is_the_one_named_or_the_one_made_for_the_job() -> None:
    for storage, claim in (({"claim": "shared"}, "shared"), ({"create": {}}, "digits")):
        exported = Exported()
        exported.see(Phase.RUNNING, spec={"storage": storage})
        assert exported.value("kubefit_job_volume_info", persistentvolumeclaim=claim) == 1


def test_a_job_that_is_over_is_only_counted_and_one_that_is_gone_is_not() -> None:
    exported = Exported()
    exported.see(Phase.RUNNING, spec={"storage": {"claim": "shared"}})
    assert exported.of_the_job()
    exported.see(Phase.FAILED)
    assert exported.of_the_job() == set()
    assert exported.total("kubefit_jobs", namespace="team", phase="Failed") == 1
    exported.series.forget(KEY)
    assert exported.total("kubefit_jobs", namespace="team", phase="Failed") is None


STARTS = "kubefit_job_start_latency_seconds"


def test_the_time_until_a_job_trains_is_counted_once() -> None:
    exported = Exported()
    for phase in (Phase.PENDING, Phase.STARTING, Phase.RUNNING, Phase.PENDING, Phase.RUNNING):
        exported.see(phase)
    assert exported.total(f"{STARTS}_count") == 1
    assert exported.total(f"{STARTS}_sum") == 600


@pytest.mark.parametrize(
    "phases",
    [
        (Phase.RUNNING, Phase.RUNNING),
        (Phase.RESTARTING, Phase.RUNNING),
        (Phase.PENDING, Phase.SUSPENDED, Phase.PENDING, Phase.RUNNING),
        (Phase.QUEUED, Phase.STARTING, Phase.RUNNING),
    ],
    ids=["another operator's job", "after a failure", "suspended meanwhile", "queued"],
)
def test_a_start_that_was_not_seen_or_was_put_off_is_not_counted(phases) -> None:
    exported = Exported()
    for phase in phases:
        exported.see(phase)
    assert exported.total(f"{STARTS}_count") == 0


def test_restarts_are_counted_by_reason_once_each() -> None:
    exported = Exported()
    failure = {"reason": "OutOfMemory"}
    for restarts in (1, 1, 3, 3):
        exported.see(Phase.RUNNING, restarts=restarts, failure=failure)
    counted = exported.total("kubefit_jobs_restarted_total", namespace="team", reason="OutOfMemory")
    assert counted == 2  # the first was counted by the operator that saw it


@pytest.mark.parametrize("end", [Phase.SUCCEEDED, Phase.FAILED])
def test_the_duration_of_a_job_is_counted_once_at_its_end(end) -> None:
    exported = Exported()
    exported.see(Phase.RUNNING)
    assert exported.total("kubefit_job_duration_seconds_count", result=end.value) is None
    for _ in range(2):
        exported.see(end, now=NOW + 20 * MINUTE)
    assert exported.total("kubefit_job_duration_seconds_count", result=end.value) == 1
    assert exported.total("kubefit_job_duration_seconds_sum", result=end.value) == 30 * 60


def test_a_job_that_was_suspended_or_over_before_has_no_duration() -> None:
    exported = Exported()
    exported.see(Phase.SUCCEEDED)
    assert exported.total("kubefit_job_duration_seconds_count", result="Succeeded") is None
    for phase in (Phase.SUSPENDED, Phase.RUNNING, Phase.FAILED):
        exported.see(phase)
    assert exported.total("kubefit_job_duration_seconds_count", result="Failed") is None
