"""Pods that the Job controller may not create, as it tells in Events."""

import datetime

import pytest

from kubefit.core.plan import plan
from kubefit.core.uncreated import overdue

STARTED = "2026-01-02T03:04:00Z"
NO_ROOM = (
    'Error creating: pods "digits-1-x" is forbidden: exceeded quota: small, requested:'
    " requests.cpu=2, used: requests.cpu=2, limited: requests.cpu=3"
)


@pytest.fixture
def half(scene):
    """A job that started five seconds ago, and has a pod for rank 0."""
    scene.made(startTime=STARTED)
    scene.job["spec"] = {"completions": 2, "suspend": False}
    scene.pod(0, "Running", ready=True)["metadata"]["creationTimestamp"] = STARTED
    return scene


def refused(message: str, at: str = STARTED) -> dict:
    return {"metadata": {"creationTimestamp": at}, "lastTimestamp": at, "message": message}


def pods_ready(scene) -> tuple[str, str]:
    (found,) = [c for c in plan(scene.seen()).status["conditions"] if c["type"] == "PodsReady"]
    return found["reason"], found["message"]


def test_a_quota_is_told_as_such_with_what_helps(half) -> None:
    half.refused_pods = (refused(NO_ROOM),)
    assert pods_ready(half) == (
        "QuotaExceeded",
        "rank 1: the quota small of the namespace has no room for it (requested: requests.cpu=2,"
        " used: requests.cpu=2, limited: requests.cpu=3); raise it, lower spec.resources or"
        " spec.workers, or wait until others end",
    )


def test_other_refusals_are_told_in_the_words_of_who_refused(half) -> None:
    words = 'pods "digits-1-x" is forbidden: violates PodSecurity "restricted:latest"'
    half.refused_pods = (
        refused(NO_ROOM),
        refused(f"Error creating: {words}", "2026-01-02T03:04:03Z"),
    )
    assert pods_ready(half) == ("PodRefused", f"rank 1: its pod is refused: {words}")


def test_a_refusal_is_forgotten_once_there_are_all_pods(half) -> None:
    half.refused_pods = (refused(NO_ROOM),)
    half.pod(1, "Running", ready=True)
    assert pods_ready(half)[0] == "AllReady"


def test_a_refusal_from_before_a_pod_failed_says_nothing_of_its_successor(half) -> None:
    half.refused_pods = (refused(NO_ROOM),)
    half.ended(1, 16, finishedAt="2026-01-02T03:04:02Z")
    assert pods_ready(half)[0] == "Waiting"


@pytest.mark.parametrize(
    ("change", "asks"),
    [
        ({}, True),
        ({"now": -1}, False),
        ({"suspend": True}, False),
        ({"over": True}, False),
        ({"pod": "Pending"}, False),
        ({"pod": "Succeeded"}, False),
        ({"failed": 0}, True),
        ({"failed": 1}, False),
    ],
)
def test_events_are_asked_for_only_where_a_pod_has_been_missing_for_a_while(
    half, change, asks
) -> None:
    now = half.now + datetime.timedelta(seconds=change.get("now", 0))
    half.job["spec"]["suspend"] = change.get("suspend", False)
    if change.get("over"):
        half.job["status"]["conditions"] = [{"type": "Complete", "status": "True"}]
    if "pod" in change:
        half.pod(1, change["pod"])
    if "failed" in change:
        half.ended(1, 16, finishedAt=f"2026-01-02T03:04:0{change['failed']}Z")
    assert overdue(half.job, tuple(half.pods), now) is asks
