"""Failures within pods and failures of pods are told together: their number, and the last one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubefit.api.contract import Cause, ExitCode, TrainerPhase
from kubefit.core.plan import plan


@pytest.fixture
def training(scene):
    """Both workers train again: a trainer was killed at 20 s, and a pod of before at `killed`."""
    cause = Cause(rank=1, exit_code=ExitCode.CRASHED, reason="Crashed", message="died", time=20.0)
    scene.chief_does(TrainerPhase.TRAINING)
    scene.chief = scene.chief.model_copy(update={"restarts": 2, "last_cause": cause})
    scene.made(failed=1)

    def killed(at: str):
        scene.ended(0, 137, finishedAt=f"1970-01-01T00:00:{at}Z")
        for rank in (0, 1):
            scene.pod(rank, "Running", ready=True)
        return plan(scene.seen()).status

    return killed


def test_restarts_in_pods_and_of_pods_are_counted_together(training) -> None:
    assert training("10")["restarts"] == 3


@pytest.mark.parametrize(("at", "reason"), [("10", "Crashed"), ("30", "Killed")])
def test_the_later_failure_is_told(training, at: str, reason: str) -> None:
    assert training(at)["failure"]["reason"] == reason


def test_what_only_follows_from_a_pod_does_not_hide_its_failure(scene, training) -> None:
    follows = {"exit_code": ExitCode.PEER_LOST, "reason": "PeerLost"}
    cause = scene.chief.last_cause.model_copy(update=follows)
    scene.chief = scene.chief.model_copy(update={"last_cause": cause})
    assert training("10")["failure"]["reason"] == "Killed"


def test_a_job_that_was_suspended_counts_the_pods_that_it_loses_on(scene, training) -> None:
    scene.status = training("10")
    scene.pods.clear()
    scene.job, scene.chief = None, None
    (made,) = (body for body in plan(scene.seen()).apply if body["kind"] == "Job")
    scene.made(failed=1)
    scene.job["metadata"]["annotations"] = made["metadata"]["annotations"]
    assert plan(scene.seen()).status["restarts"] == 4
    scene.chief_does(TrainerPhase.TRAINING)
    scene.chief = scene.chief.model_copy(update={"restarts": 2})
    assert plan(scene.seen()).status["restarts"] == 4


def test_a_job_that_never_restarted_says_nothing_of_it_to_its_indexed_job(scene) -> None:
    (made,) = (body for body in plan(scene.seen()).apply if body["kind"] == "Job")
    assert "kubefit.dev/pod-restarts" not in made["metadata"]["annotations"]


def see(scene) -> int:
    """A pass whose status is stored, and the restarts that it tells."""
    scene.status = plan(scene.seen()).status or scene.status
    return scene.status["restarts"]


def make_anew(scene) -> None:
    """The Job is deleted, seen to be gone, and made again; nobody answers yet."""
    scene.job, scene.chief = None, None
    decided = plan(scene.seen())
    scene.status = decided.status or scene.status
    (body,) = (body for body in decided.apply if body["kind"] == "Job")
    scene.made()
    scene.job["metadata"]["annotations"] = body["metadata"]["annotations"]


@given(
    happened=st.lists(st.sampled_from(["a pod is lost", "in place", "made anew"]), max_size=12),
    looks=st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_restarts_of_both_kinds_add_up_over_any_number_of_jobs(new_scene, happened, looks) -> None:
    scene, pods, in_place = new_scene(), 0, 0
    scene.made()
    see(scene)
    for event, looked in zip(happened, looks, strict=False):
        before = scene.status["restarts"]
        if event == "a pod is lost":
            pods += 1
            scene.job["status"]["failed"] = scene.job["status"].get("failed", 0) + 1
        elif event == "in place":
            in_place += 1
            scene.chief_does(TrainerPhase.TRAINING)
            scene.chief = scene.chief.model_copy(update={"restarts": in_place})
        else:
            see(scene)
            make_anew(scene)
        if looked:
            assert see(scene) == pods + in_place >= before
    assert see(scene) == pods + in_place


def test_an_operator_that_told_the_sum_alone_is_followed_by_one_that_counts_on(scene) -> None:
    scene.made(failed=2)
    scene.chief_does(TrainerPhase.TRAINING)
    scene.chief = scene.chief.model_copy(update={"restarts": 1})
    see(scene)
    del scene.status["podRestarts"]
    assert (see(scene), scene.status["podRestarts"]) == (3, 2)
