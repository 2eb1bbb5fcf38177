"""Deadlines end a job by themselves, and run only while it wants to train."""

import datetime

import pytest

from kubefit.api.contract import Cause, Outcome, TrainerPhase, TrainerReport
from kubefit.api.errors import read_job
from kubefit.core.desired import APPLIED, digest
from kubefit.core.plan import plan


def after(scene, seconds: float):
    """A pass so many seconds later, the status of which is stored."""
    scene.now += datetime.timedelta(seconds=seconds)
    if scene.job is not None:
        scene.job["metadata"]["annotations"][APPLIED] = digest(read_job(scene.seen().resource))
    decided = plan(scene.seen())
    scene.status = decided.status or scene.status
    return decided


@pytest.fixture
def waiting(scene):
    """A job that has to train within a minute, and whose second pod finds no node."""
    scene.spec["runPolicy"] = {"startDeadlineSeconds": 60, "ttlSecondsAfterFinished": 5}
    scene.made()
    scene.pod(0, "Running", ready=True)
    marked = {"type": "PodScheduled", "status": "False", "message": "no nodes available"}
    scene.pod(1, "Pending", conditions=[marked])
    after(scene, 0)
    return scene


def test_a_job_that_does_not_start_in_time_fails_with_what_it_waited_for(waiting) -> None:
    assert after(waiting, 59).requeue_after == 1
    ended = after(waiting, 1)
    assert ended.phase == "Failed"
    assert [body["kind"] for body in ended.remove] == ["Job"]
    assert ended.requeue_after == 5
    assert ended.finished == {"result": "Failed", "reason": "StartDeadlineExceeded"}
    failure = waiting.status["failure"]
    assert failure["reason"] == "StartDeadlineExceeded"
    assert failure["message"] == (
        "the job does not train after the 60 s of spec.runPolicy.startDeadlineSeconds: rank 1 (pod"
        " digits-1-1): no node takes it: no nodes available"
    )
    assert "waitStartTime" not in waiting.status


def test_workers_that_meet_nobody_are_told_with_whom_they_wait_for(waiting) -> None:
    del waiting.pods[1]
    waiting.pod(1, "Running")
    waiting.chief_does(TrainerPhase.STARTING)
    waiting.chief = waiting.chief.model_copy(update={"waiting_for": "worker 1"})
    after(waiting, 60)
    assert waiting.status["failure"]["message"].endswith(
        "rank 0 (pod digits-0-0): waits for worker 1"
    )


def test_a_claim_that_never_comes_ends_the_wait_too(scene) -> None:
    scene.spec["runPolicy"] = {"startDeadlineSeconds": 10}
    scene.claim = False
    assert after(scene, 0).requeue_after == 10
    assert after(scene, 10).phase == "Failed"
    assert "there is no PersistentVolumeClaim 'training'" in scene.status["failure"]["message"]
    reasons = {c["type"]: (c["status"], c["reason"]) for c in scene.status["conditions"]}
    assert reasons == {
        "Accepted": ("False", "ClaimNotFound"),
        "Failed": ("True", "StartDeadlineExceeded"),
    }


def test_a_suspension_stops_the_clock_and_a_resumption_starts_it_anew(waiting) -> None:
    after(waiting, 50)
    waiting.spec["runPolicy"]["suspend"] = True
    assert after(waiting, 1).phase == "Suspended"
    assert after(waiting, 1000).requeue_after is None
    waiting.spec["runPolicy"]["suspend"] = False
    assert after(waiting, 1).phase == "Pending"
    assert after(waiting, 59).phase == "Pending"
    assert after(waiting, 1).phase == "Failed"


def test_a_job_that_has_trained_may_restart_for_as_long_as_it_takes(waiting) -> None:
    del waiting.pods[1]
    waiting.pod(1, "Running", ready=True)
    waiting.chief_does(TrainerPhase.TRAINING)
    assert after(waiting, 30).phase == "Running"
    waiting.ended(1, 16)
    assert after(waiting, 30).phase == "Restarting"
    assert after(waiting, 1000).phase == "Restarting"


@pytest.fixture
def complete(waiting):
    """The same once all its workers are ready; its operator was away from then on."""
    del waiting.pods[1]
    waiting.pod(1, "Running", ready=True)
    return waiting


def test_a_job_that_may_train_is_not_judged_until_its_chief_answers(complete) -> None:
    complete.pods[0]["status"]["podIP"] = "10.0.0.7"
    unheard = after(complete, 1000)
    assert (unheard.phase, unheard.remove, unheard.requeue_after) == ("Starting", (), 2)
    complete.chief_does(TrainerPhase.TRAINING)
    assert after(complete, 1).phase == "Running"


def test_a_chief_that_answers_too_late_that_it_only_starts_ends_the_wait(complete) -> None:
    after(complete, 1000)
    complete.chief_does(TrainerPhase.STARTING)
    assert after(complete, 1).phase == "Failed"


def test_a_job_that_trained_unseen_and_restarts_has_started(complete) -> None:
    cause = Cause(rank=1, exit_code=16, reason="Crashed", message="killed", attempt=2)
    complete.chief_does(TrainerPhase.STARTING)
    complete.chief = complete.chief.model_copy(update={"attempt": 3, "last_cause": cause})
    assert after(complete, 1000).phase == "Restarting"
    assert "waitStartTime" not in complete.status


@pytest.mark.parametrize(("trained", "phase"), [(True, "Restarting"), (False, "Failed")])
def test_an_attempt_that_failed_before_its_first_step_ends_no_wait(
    complete, trained, phase
) -> None:
    cause = Cause(rank=1, exit_code=16, reason="Crashed", message="killed", attempt=1)
    complete.chief_does(TrainerPhase.STARTING)
    told = {"last_cause": cause, "has_trained": trained}
    complete.chief = complete.chief.model_copy(update=told)
    assert after(complete, 1000).phase == phase


def test_a_job_whose_chief_trains_without_the_others_has_started_and_that_is_told_at_once(
    waiting,
) -> None:
    waiting.chief_does(TrainerPhase.TRAINING)
    started = after(waiting, 1000)
    assert (started.phase, started.waits) == ("Pending", 0)
    waiting.chief = None
    assert after(waiting, 1).phase == "Pending"


def test_the_end_of_a_wait_that_nothing_ends_may_be_told_later(waiting) -> None:
    del waiting.spec["runPolicy"]["startDeadlineSeconds"]
    waiting.chief_does(TrainerPhase.TRAINING)
    started = after(waiting, 1000)
    assert "waitStartTime" not in started.status
    assert (started.phase, started.waits) == ("Pending", 5)


@pytest.mark.parametrize(("ended", "phase"), [(30, "Restarting"), (-30, "Failed")])
def test_last_words_tell_of_training_since_the_wait_began(waiting, ended, phase) -> None:
    moment = waiting.now.timestamp() + ended
    report = TrainerReport(phase=TrainerPhase.TRAINING, step=9, updated=0.0)
    words = Outcome(rank=1, exit_code=16, reason="Crashed", message="", ended=moment, report=report)
    del waiting.pods[1]
    waiting.ended(1, 16, words.model_dump_json(by_alias=True))
    waiting.pod(1, "Pending")
    assert after(waiting, 1000).phase == phase


def test_a_wait_that_an_older_operator_did_not_note_is_counted_from_now(waiting) -> None:
    del waiting.status["waitStartTime"]
    assert after(waiting, 1000).phase == "Pending"
    assert after(waiting, 59).phase == "Pending"
    assert after(waiting, 1).phase == "Failed"


@pytest.mark.parametrize("claim", [True, False])
def test_a_job_whose_workers_are_made_anew_has_to_start_in_time_again(complete, claim) -> None:
    complete.chief_does(TrainerPhase.TRAINING)
    assert after(complete, 30).phase == "Running"
    complete.job, complete.chief, complete.claim = None, None, claim
    complete.pods.clear()
    assert after(complete, 1000).phase == "Pending"
    complete.claim = True
    complete.made()
    assert after(complete, 59).phase == "Pending"
    assert after(complete, 1).phase == "Failed"


def test_a_job_that_trained_and_lost_all_its_pods_has_started(complete) -> None:
    complete.chief_does(TrainerPhase.TRAINING)
    after(complete, 30)
    complete.chief = None
    complete.pods.clear()
    assert after(complete, 30).phase == "Pending"
    assert after(complete, 1000).phase == "Pending"


def test_a_job_that_failed_is_halted_even_if_that_was_forgotten(waiting) -> None:
    after(waiting, 60)
    assert [body["kind"] for body in after(waiting, 1).remove] == ["Job"]
    waiting.job["metadata"]["deletionTimestamp"] = "2026-01-02T03:06:00Z"
    assert after(waiting, 1).remove == ()


def test_a_suspended_job_that_misses_its_claim_is_suspended(scene) -> None:
    scene.spec["runPolicy"] = {"suspend": True}
    scene.claim = False
    assert after(scene, 0).phase == "Suspended"
    assert scene.status["summary"] == {"ready": "0/2"}


def test_the_active_deadline_is_kept_by_the_indexed_job_and_can_be_changed(scene) -> None:
    scene.spec["runPolicy"] = {"activeDeadlineSeconds": 60}
    (job,) = (body for body in plan(scene.seen()).apply if body["kind"] == "Job")
    assert job["spec"]["activeDeadlineSeconds"] == 60
    scene.made()
    scene.spec["runPolicy"] = {"maxRestarts": 1}
    assert plan(scene.seen()).change["spec"]["activeDeadlineSeconds"] is None


def test_a_job_is_over_at_its_active_deadline_though_a_pod_on_a_lost_node_never_ends(scene) -> None:
    scene.spec["runPolicy"] = {"activeDeadlineSeconds": 60}
    scene.made()
    scene.pod(0, "Running")["metadata"]["deletionTimestamp"] = "2026-01-02T03:05:00Z"
    target = {"type": "FailureTarget", "status": "True", "reason": "DeadlineExceeded"}
    scene.job["status"]["conditions"] = [target]
    over = plan(scene.seen())
    assert (over.phase, over.finished["reason"], over.remove) == ("Failed", "DeadlineExceeded", ())


def test_a_job_that_fails_for_another_reason_waits_for_the_last_words_of_its_pods(scene) -> None:
    scene.made("FailureTarget")
    scene.pod(0, "Running")
    assert plan(scene.seen()).phase != "Failed"
