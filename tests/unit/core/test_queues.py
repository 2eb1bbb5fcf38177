"""Kueue and the operator do not fight: who admits a job alone suspends and starts its Job."""

import pytest

from kubefit.core.plan import plan

QUEUE = "kueue.x-k8s.io/queue-name"


@pytest.fixture
def queued(scene):
    """A job that its queue has not admitted yet."""
    scene.labels = {QUEUE: "gpus"}
    made = indexed_job(plan(scene.seen()))
    scene.made()
    scene.job["spec"] = {"suspend": True}
    for field in ("labels", "annotations"):
        scene.job["metadata"][field] = dict(made["metadata"][field])
    return scene


def indexed_job(decided):
    (made,) = (body for body in decided.apply if body["kind"] == "Job")
    return made


def take(scene, change):
    """The Job as the API server stores it after the change, where None takes away."""
    for field in ("labels", "annotations"):
        stored = scene.job["metadata"][field] | change["metadata"].get(field, {})
        scene.job["metadata"][field] = {k: v for k, v in stored.items() if v is not None}
    return change


def condition(status, kind):
    (found,) = (c for c in status["conditions"] if c["type"] == kind)
    return found


def test_a_job_for_a_queue_is_made_suspended_and_its_pods_are_not_for_the_queue(scene) -> None:
    scene.labels = {QUEUE: "gpus", "kueue.x-k8s.io/priority-class": "high", "team": "vision"}
    made = indexed_job(plan(scene.seen()))
    assert made["spec"]["suspend"] is True
    assert {name for name in made["metadata"]["labels"] if "kueue" in name} == {
        QUEUE,
        "kueue.x-k8s.io/priority-class",
    }
    assert "team" not in made["metadata"]["labels"]
    assert not any("kueue" in name for name in made["spec"]["template"]["metadata"]["labels"])


def test_a_job_for_no_queue_leaves_open_who_suspends_it(scene) -> None:
    assert "suspend" not in indexed_job(plan(scene.seen()))["spec"]


def test_a_job_that_waits_for_its_queue_is_queued_and_says_for_which(queued) -> None:
    decided = plan(queued.seen())
    assert str(decided.phase) == "Queued"
    for kind in ("Progressing", "PodsReady"):
        assert condition(decided.status, kind)["reason"] == "Queued"
        assert "'gpus'" in condition(decided.status, kind)["message"]
    assert (decided.change, decided.apply, decided.remove) == (None, (), ())
    assert decided.requeue_after is None


def test_a_job_that_somebody_suspends_without_a_queue_is_queued_too(queued) -> None:
    queued.labels = {}
    take(queued, plan(queued.seen()).change)
    decided = plan(queued.seen())
    assert str(decided.phase) == "Queued"
    assert "another hand" in condition(decided.status, "Progressing")["message"]
    assert decided.change is None


def test_an_admitted_job_goes_its_way_and_may_be_sent_back(queued) -> None:
    for suspend, phase in ((False, "Pending"), (True, "Queued"), (False, "Pending")):
        queued.job["spec"]["suspend"] = suspend
        decided = plan(queued.seen())
        assert (str(decided.phase), decided.change) == (phase, None)
        queued.status = decided.status or queued.status


def test_a_queued_job_that_its_user_suspends_leaves_the_queue(queued) -> None:
    queued.spec["runPolicy"] = {"suspend": True}
    queued.generation = 2
    decided = plan(queued.seen())
    assert str(decided.phase) == "Suspended"
    assert [body["metadata"]["uid"] for body in decided.remove] == ["job"]
    assert decided.apply == ()
    queued.status, queued.job = decided.status, None
    assert plan(queued.seen()).apply == ()
    queued.spec["runPolicy"] = {"suspend": False}
    assert indexed_job(plan(queued.seen()))["spec"]["suspend"] is True


def test_a_job_that_is_going_is_not_deleted_again(queued) -> None:
    queued.spec["runPolicy"] = {"suspend": True}
    queued.job["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z"
    assert plan(queued.seen()).remove == ()


def test_another_queue_is_told_to_the_job(queued) -> None:
    queued.labels = {QUEUE: "cpus"}
    assert plan(queued.seen()).change["metadata"]["labels"] == {QUEUE: "cpus"}
    queued.labels = {}
    assert plan(queued.seen()).change["metadata"]["labels"] == {QUEUE: None}


def test_a_label_that_kueue_gave_the_job_stays(queued) -> None:
    queued.job["metadata"]["labels"]["kueue.x-k8s.io/other"] = "its own"
    assert plan(queued.seen()).change is None
    queued.labels = {}
    change = take(queued, plan(queued.seen()).change)
    assert change["metadata"]["labels"] == {QUEUE: None}
    queued.job["metadata"]["labels"][QUEUE] = "default"  # of a namespace that has one
    assert plan(queued.seen()).change is None


@pytest.mark.parametrize("before", [{}, {QUEUE: "cpus"}], ids=["no queue", "another queue"])
def test_a_job_that_runs_changes_its_queue_only_when_it_is_sent_back(queued, before) -> None:
    queued.job["spec"]["suspend"] = False
    queued.job["metadata"]["labels"] = before
    decided = plan(queued.seen())
    assert (decided.change, decided.apply) == (None, ())
    queued.spec["workers"] = 4
    change = take(queued, plan(queued.seen()).change)
    assert change["spec"]["parallelism"] == 4
    assert "labels" not in change["metadata"]
    queued.job["spec"]["suspend"] = True
    assert plan(queued.seen()).change["metadata"]["labels"] == {QUEUE: "gpus"}


def test_a_resized_job_stays_in_its_queue(queued) -> None:
    queued.spec["workers"] = 4
    change = plan(queued.seen()).change
    assert change["spec"]["parallelism"] == 4
    assert "suspend" not in change["spec"]
    assert "labels" not in change["metadata"]


def test_the_volume_of_a_job_that_begins_suspended_can_be_filled(scene) -> None:
    scene.spec |= {"storage": {"create": {"size": "1Gi"}}, "runPolicy": {"suspend": True}}
    decided = plan(scene.seen())
    assert "PersistentVolumeClaim" in [body["kind"] for body in decided.apply]
    scene.status = decided.status
    assert plan(scene.seen()).apply == ()


def test_a_volume_that_was_refused_is_asked_for_again_though_the_job_is_suspended(scene) -> None:
    scene.spec |= {"storage": {"create": {"size": "1Gi"}}, "runPolicy": {"suspend": True}}
    scene.refusal = "exceeded quota"
    decided = plan(scene.seen())
    assert (str(decided.phase), decided.apply) == ("Suspended", ())
    assert decided.requeue_after
    scene.refusal, scene.status = "", decided.status
    decided = plan(scene.seen())
    assert "PersistentVolumeClaim" in [body["kind"] for body in decided.apply]
    scene.status = decided.status
    assert plan(scene.seen()).apply == ()


def test_a_tensorboard_that_is_switched_on_during_a_suspension_is_there_at_once(scene) -> None:
    scene.spec["runPolicy"] = {"suspend": True}
    scene.status = plan(scene.seen()).status
    scene.generation = 2
    scene.spec["tensorboard"] = {"enabled": True}
    decided = plan(scene.seen())
    assert "Deployment" in [body["kind"] for body in decided.apply]
    scene.status = decided.status
    assert plan(scene.seen()).apply == ()


def test_pods_that_end_after_a_suspension_keep_only_the_next_start_waiting(scene) -> None:
    scene.spec["runPolicy"] = {"suspend": True}
    scene.leftovers = ("digits-0-x",)
    assert str(plan(scene.seen()).phase) == "Suspended"
    scene.spec["runPolicy"] = {"suspend": False}
    decided = plan(scene.seen())
    assert condition(decided.status, "Accepted")["reason"] == "NameInUse"
    assert decided.apply == ()
