"""Pods that fail together are charged once, and the job that fails too often is given up."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubefit.api.contract import ExitCode
from kubefit.api.errors import read_job
from kubefit.core import incidents
from kubefit.core.desired import APPLIED, digest
from kubefit.core.plan import plan

KILLED = 137


def fails(scene, rank: int, seconds: float, code: int = KILLED, **more) -> None:
    """A pod that ended so many seconds after the scene's moment."""
    at = (scene.now + datetime.timedelta(seconds=seconds)).isoformat()
    pod = scene.ended(rank, code, finishedAt=at)
    pod["status"] |= more


def number(scene) -> int:
    return len(incidents.began(scene.pods))


def test_workers_that_fail_within_a_minute_are_one_incident(scene) -> None:
    for rank in range(8):
        fails(scene, rank, 8.0 * rank)
    assert number(scene) == 1
    fails(scene, 8, 61.0)
    assert number(scene) == 2


def test_a_rank_that_fails_again_is_another_incident_however_soon(scene) -> None:
    for seconds in (0, 1, 2):
        fails(scene, 0, seconds)
    assert number(scene) == 3


@pytest.mark.parametrize("code", [ExitCode.PREEMPTED, ExitCode.PEER_LOST, ExitCode.USER_ERROR])
def test_what_follows_from_others_or_ends_the_job_is_no_incident(scene, code) -> None:
    fails(scene, 0, 0, code)
    assert number(scene) == 0


def test_pods_that_were_taken_away_are_no_incident(scene) -> None:
    fails(scene, 0, 0, reason="Evicted", message="The node was low on resource: memory.")
    assert number(scene) == 0
    fails(scene, 1, 0, ExitCode.FETCH_FAILED)
    assert number(scene) == 1


@given(ends=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 600)), max_size=20))
def test_there_are_as_many_as_failures_of_one_rank_and_no_more_than_of_all(new_scene, ends) -> None:
    scene = new_scene()
    for rank, seconds in ends:
        fails(scene, rank, seconds)
    ranks = [rank for rank, _ in ends]
    most = max((ranks.count(rank) for rank in range(4)), default=0)
    assert most <= number(scene) <= len(ends)


@pytest.fixture
def training(scene):
    """A job of two workers that may restart twice in an hour."""
    scene.spec["runPolicy"] = {"maxRestarts": 2, "restartWindowSeconds": 3600}
    scene.made()
    scene.job["metadata"]["annotations"][APPLIED] = digest(read_job(scene.seen().resource))
    return scene


def test_a_job_whose_workers_fail_together_goes_on_until_they_have_once_too_often(training) -> None:
    for minutes in (0, 2):
        for rank in (0, 1):
            fails(training, rank, 60 * minutes)
    assert plan(training.seen()).change is None
    assert plan(training.seen()).status["restarts"] == 2
    fails(training, 1, 240)
    decided = plan(training.seen())
    assert decided.change["spec"] == {"backoffLimit": 0}
    assert decided.remove == ()
    assert decided.status["restarts"] == 2
    training.job["spec"] = decided.change["spec"]
    assert plan(training.seen()).change is None


def test_failures_of_before_the_window_do_not_count(training) -> None:
    for minutes in (0, 2, 4):
        fails(training, 0, 60 * minutes)
    training.now += datetime.timedelta(minutes=59)
    assert plan(training.seen()).change is not None
    training.now += datetime.timedelta(minutes=2)
    assert plan(training.seen()).change is None
    assert plan(training.seen()).status["restarts"] == 3


@pytest.mark.parametrize(("most", "limit"), [(0, 0), (1, 2**31 - 1)])
def test_the_job_controller_ends_only_a_job_that_may_not_restart_at_all(scene, most, limit) -> None:
    scene.spec["runPolicy"] = {"maxRestarts": most}
    (made,) = (body for body in plan(scene.seen()).apply if body["kind"] == "Job")
    assert made["spec"]["backoffLimit"] == limit
