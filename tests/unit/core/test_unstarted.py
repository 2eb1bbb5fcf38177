"""Pods that have a node and are not started there, as the node tells in Events."""

import datetime
from typing import Any

import pytest

from kubefit.core.plan import plan
from kubefit.core.unstarted import overdue

PLACED = "2026-01-02T03:04:00Z"
CREATING = {"name": "trainer", "state": {"waiting": {"reason": "ContainerCreating"}}}
NO_SECRET = 'MountVolume.SetUp failed for volume "key" : secret "key" not found'


@pytest.fixture
def placed(scene):
    """A job with a pod that got its node five seconds ago."""
    scene.spec["workers"] = 1
    scene.made()
    conditions = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": PLACED}]
    scene.pod(0, "Pending", conditions=conditions, containerStatuses=[CREATING])
    return scene


def said(reason: str, message: str, at: str = PLACED, pod: str = "pod-0") -> dict[str, Any]:
    about = {"involvedObject": {"uid": pod}, "metadata": {"creationTimestamp": at}}
    return {**about, "reason": reason, "message": message, "lastTimestamp": at}


def pods_ready(scene) -> tuple[str, str]:
    (found,) = [c for c in plan(scene.seen()).status["conditions"] if c["type"] == "PodsReady"]
    return found["reason"], found["message"]


def test_a_volume_that_cannot_be_mounted_is_told_in_the_words_of_the_node(placed) -> None:
    placed.pod_events = (said("Scheduled", "placed"), said("FailedMount", NO_SECRET, PLACED))
    placed.pod_events[1]["lastTimestamp"] = "2026-01-02T03:04:03Z"
    assert pods_ready(placed) == (
        "FailedMount",
        f"rank 0 (pod digits-0-0): its volumes cannot be mounted: {NO_SECRET}; create what is"
        " missing, or correct spec.storage or the volumes in spec.podTemplate",
    )


def test_a_fault_that_was_overcome_is_not_told(placed) -> None:
    pulling = said("Pulling", "Pulling image", "2026-01-02T03:04:03Z")
    placed.pod_events = (said("FailedMount", NO_SECRET), pulling)
    assert pods_ready(placed)[0] == "Waiting"


def test_a_fault_of_a_higher_rank_is_told_while_lower_ones_are_only_slow(placed) -> None:
    placed.spec["workers"] = 2
    conditions = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": PLACED}]
    placed.pod(1, "Pending", conditions=conditions, containerStatuses=[CREATING])
    pulling = said("Pulling", "Pulling image")
    placed.pod_events = (pulling, said("FailedMount", NO_SECRET, pod="pod-1"))
    reason, message = pods_ready(placed)
    assert (reason, message.split(":")[0]) == ("FailedMount", "rank 1 (pod digits-1-1)")


def test_a_fault_of_an_earlier_pod_is_not_told_of_its_successor(placed) -> None:
    placed.pod_events = (said("FailedMount", NO_SECRET),)
    placed.pods[0]["metadata"]["uid"] = "pod-1"
    assert pods_ready(placed)[0] == "Waiting"


def test_a_pod_may_be_prepared_for_a_while_and_is_looked_at_again_soon(placed) -> None:
    assert overdue(placed.pods, placed.now - datetime.timedelta(seconds=1)) == []
    assert overdue(placed.pods, placed.now) == placed.pods
    assert plan(placed.seen()).requeue_after == 5.0


@pytest.mark.parametrize(("lasts", "again"), [(5, 5.0), (20, 5.0), (60, 15.0), (3600, 30.0)])
def test_the_longer_a_pod_is_prepared_the_less_often_it_is_looked_at(placed, lasts, again) -> None:
    placed.now += datetime.timedelta(seconds=lasts - 5)
    assert plan(placed.seen()).requeue_after == again


@pytest.mark.parametrize("state", [{"running": {}}, {"waiting": {"reason": "ErrImagePull"}}])
def test_a_pod_whose_container_is_started_or_told_of_is_not_overdue(placed, state) -> None:
    placed.pods[0]["status"]["containerStatuses"] = [{"name": "trainer", "state": state}]
    assert overdue(placed.pods, placed.now) == []
