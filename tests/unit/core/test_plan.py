"""What a pass writes, and that a pass over an unchanged world writes nothing."""

import dataclasses
import datetime

import pytest

from kubefit.api.contract import TrainerPhase
from kubefit.api.errors import read_job
from kubefit.core.desired import APPLIED, digest
from kubefit.core.plan import plan


def conditions(decided) -> dict[str, dict]:
    return {c["type"]: c for c in decided.status["conditions"]}


def test_a_new_job_gets_service_configuration_and_one_indexed_job_whatever_its_size(scene) -> None:
    for workers in (1, 2, 1024):
        scene.spec["workers"] = workers
        kinds = [body["kind"] for body in plan(scene.seen()).apply]
        assert kinds == ["Service", "ConfigMap", "NetworkPolicy", "Job"]


def test_claim_and_tensorboard_come_before_the_job_that_needs_them(scene) -> None:
    scene.spec["storage"] = {"create": {"size": "1Gi"}}
    scene.spec["tensorboard"] = {"enabled": True}
    kinds = [body["kind"] for body in plan(scene.seen()).apply]
    assert sorted(kinds[:-1]) == [
        "ConfigMap",
        "Deployment",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "Service",
        "Service",
    ]
    assert kinds[-1] == "Job"


def test_a_second_pass_over_the_same_world_writes_nothing(scene) -> None:
    scene.made()
    scene.job["metadata"]["annotations"][APPLIED] = digest(read_job(scene.seen().resource))
    scene.status = plan(scene.seen()).status
    again = plan(scene.seen())
    assert (again.apply, again.change, again.status, again.event) == ((), None, None, None)


def test_a_changed_specification_sends_only_changeable_fields_of_the_job(scene) -> None:
    scene.made()
    scene.job["metadata"]["annotations"][APPLIED] = "older"
    scene.spec["runPolicy"] = {"maxRestarts": 7}
    decided = plan(scene.seen())
    assert decided.change["spec"]["backoffLimit"] == 7
    assert not {"template", "suspend"} & set(decided.change["spec"])
    assert "Job" not in [body["kind"] for body in decided.apply]


def test_a_job_that_names_this_operator_is_run_by_it(scene) -> None:
    scene.spec["managedBy"] = "kubefit.dev/operator"
    assert plan(scene.seen()).apply


def test_other_pods_are_made_by_another_job(scene) -> None:
    made = plan(scene.seen()).apply[-1]
    scene.made()
    scene.job["metadata"]["annotations"] = made["metadata"]["annotations"]
    scene.spec |= {"image": "mine:2", "runPolicy": {"maxRestarts": 5}}
    decided = plan(scene.seen())
    assert [body["metadata"]["uid"] for body in decided.remove] == ["job"]
    assert (decided.apply, decided.change) == ((), None)
    scene.job = None
    container = plan(scene.seen()).apply[-1]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "mine:2"


def test_a_job_of_an_operator_that_noted_less_is_left_alone(scene) -> None:
    scene.made()
    scene.spec["image"] = "mine:2"
    assert plan(scene.seen()).remove == ()


@pytest.mark.parametrize("image", [None, "mine:2"], ids=["unchanged", "another image"])
@pytest.mark.parametrize("suspend", [True, False], ids=["found", "already resumed"])
def test_a_job_that_an_earlier_operator_suspended_gets_a_job_anew(scene, image, suspend) -> None:
    scene.made()
    scene.job["spec"] = {"suspend": suspend}
    scene.job["metadata"]["annotations"][APPLIED] = digest(read_job(scene.seen().resource))
    scene.status = {"phase": "Suspended"}
    scene.spec |= {"image": image} if image else {}
    decided = plan(scene.seen())
    assert [body["metadata"]["uid"] for body in decided.remove] == ["job"]
    assert (decided.apply, decided.change) == ((), None)
    scene.job, scene.status = None, decided.status
    assert "suspend" not in plan(scene.seen()).apply[-1]["spec"]


def test_a_job_of_an_earlier_operator_that_is_suspended_and_outdated_is_made_anew(scene) -> None:
    scene.made()
    scene.job["spec"] = {"suspend": True}
    scene.job["metadata"]["annotations"][APPLIED] = "older"
    scene.status = {"phase": "Pending"}
    assert [body["kind"] for body in plan(scene.seen()).remove] == ["Job"]


def test_a_job_of_an_earlier_operator_notes_its_pods_at_its_next_change(scene) -> None:
    noted = plan(scene.seen()).apply[-1]["metadata"]["annotations"]
    scene.made()
    scene.job["metadata"]["annotations"][APPLIED] = "older"
    change = plan(scene.seen()).change
    assert change["metadata"]["annotations"] == noted


def test_a_script_that_is_no_python_ends_the_job_with_its_line(scene) -> None:
    scene.spec["script"] = {"inline": "for i in range(3)\n    pass\n"}
    decided = plan(scene.seen())
    assert decided.apply == ()
    assert str(decided.phase) == "Failed"
    for kind, status in (("Accepted", "False"), ("Failed", "True")):
        assert conditions(decided)[kind]["status"] == status
        assert conditions(decided)[kind]["message"].startswith("spec.script.inline: line 1: ")


def test_a_claim_that_is_not_there_is_waited_for(scene) -> None:
    scene.claim = False
    decided = plan(scene.seen())
    assert decided.apply == ()
    assert decided.requeue_after
    assert conditions(decided)["Accepted"]["reason"] == "ClaimNotFound"
    scene.claim = True
    assert plan(scene.seen()).apply


def test_a_running_job_is_left_alone_when_its_definition_is_newer_than_the_operator(scene) -> None:
    scene.made()
    for rank in range(2):
        scene.pod(rank, "Running", ready=True)
    scene.chief_does(TrainerPhase.TRAINING)
    scene.status = plan(scene.seen()).status
    scene.spec["placement"] = {"gang": True}
    scene.spec["runPolicy"] = {"maxRestarts": 9}
    scene.status["fits"] = 2
    decided = plan(scene.seen())
    assert (decided.apply, decided.change, decided.remove) == ((), None, ())
    assert decided.phase == "Running"
    assert conditions(decided)["Accepted"]["reason"] == "OperatorTooOld"
    assert "spec.placement" in conditions(decided)["Accepted"]["message"]
    scene.status = decided.status | {"fits": 2}
    assert plan(scene.seen()).status is None


def test_a_running_job_is_left_alone_when_its_definition_allows_a_newer_value(scene) -> None:
    scene.spec["runPolicy"] = {"startDeadlineSeconds": 1}
    scene.made()
    for rank in range(2):
        scene.pod(rank, "Running", ready=True)
    scene.chief_does(TrainerPhase.TRAINING)
    ran = scene.status = plan(scene.seen()).status
    scene.spec["workers"] = 2**20
    scene.now += datetime.timedelta(seconds=10)
    decided = plan(scene.seen())
    assert (decided.apply, decided.change, decided.remove) == ((), None, ())
    assert decided.phase == "Running"
    assert conditions(decided)["Accepted"]["status"] == "False"
    assert "upgrade the operator" in conditions(decided)["Accepted"]["message"]
    assert decided.status["conditions"][1:] == ran["conditions"][1:]
    scene.status = decided.status
    assert (plan(scene.seen()).status, plan(scene.seen()).phase) == (None, "Running")


def test_a_suspended_job_outlives_a_newer_value_and_starts_once_it_can_be_read(scene) -> None:
    scene.spec["runPolicy"] = {"suspend": True}
    scene.status = plan(scene.seen()).status
    scene.spec["workers"] = 2**20
    for _ in range(2):
        decided = plan(scene.seen())
        assert (decided.phase, decided.apply) == ("Suspended", ())
        scene.status = decided.status or scene.status
    scene.spec["runPolicy"] = {"suspend": False}
    for _ in range(2):
        decided = plan(scene.seen())
        assert (decided.phase, decided.apply) == ("Pending", ())
        scene.status = decided.status or scene.status
    scene.spec["workers"] = 2
    assert plan(scene.seen()).apply


def test_a_new_job_with_a_value_that_is_unknown_fails(scene) -> None:
    scene.spec["workers"] = 2**20
    assert plan(scene.seen()).phase == "Failed"


def test_a_job_that_is_left_alone_is_not_said_to_be_suspended_when_it_is_asked_to_be(scene) -> None:
    scene.made()
    for rank in range(2):
        scene.pod(rank, "Running", ready=True)
    scene.chief_does(TrainerPhase.TRAINING)
    scene.status = plan(scene.seen()).status
    scene.spec |= {"placement": {}, "runPolicy": {"suspend": True}}
    decided = plan(scene.seen())
    assert (decided.phase, decided.remove) == ("Running", ())


NEWER_BLOCK = {
    "data": {"train": {"folder": "train"}, "imageSize": [8, 8]},
    "model": {"blocks": [{"newer": 1}]},
    "training": {"epochs": 1, "globalBatchSize": 8},
}


@pytest.mark.parametrize("newer", [{"placement": {}}, {"recipe": NEWER_BLOCK}])
def test_a_new_job_whose_definition_is_newer_waits_for_a_newer_operator(scene, newer) -> None:
    scene.spec |= newer
    if "recipe" in newer:
        del scene.spec["script"]
    decided = plan(scene.seen())
    assert (decided.apply, decided.phase, decided.requeue_after) == ((), "Pending", 30.0)
    assert conditions(decided)["Accepted"]["reason"] == "OperatorTooOld"


def test_a_job_waits_for_the_pods_of_its_deleted_namesake(scene) -> None:
    observed = dataclasses.replace(scene.seen(), leftovers=("digits-0-x",))
    decided = plan(observed)
    assert decided.apply == ()
    assert conditions(decided)["Accepted"]["reason"] == "NameInUse"
    assert "digits-0-x" in conditions(decided)["Accepted"]["message"]
    scene.made()
    assert plan(dataclasses.replace(scene.seen(), leftovers=("digits-0-x",))).phase == "Pending"
    assert plan(scene.seen()).apply or plan(scene.seen()).change


def test_a_job_that_is_over_is_left_alone(scene) -> None:
    scene.made("Complete")
    scene.status = plan(scene.seen()).status
    scene.spec["workers"] = 3
    again = plan(scene.seen())
    assert (again.apply, again.change, again.status, again.delete) == ((), None, None, False)


def test_a_finished_job_goes_when_its_time_to_live_has_passed(scene) -> None:
    scene.spec["runPolicy"] = {"ttlSecondsAfterFinished": 60}
    scene.made("Complete")
    scene.status = plan(scene.seen()).status
    scene.now += datetime.timedelta(seconds=59)
    early = plan(scene.seen())
    assert (early.delete, early.requeue_after) == (False, 1.0)
    scene.now += datetime.timedelta(seconds=1)
    assert plan(scene.seen()).delete


def test_the_pass_that_ends_a_job_asks_to_be_back_when_its_time_to_live_is_over(scene) -> None:
    scene.spec["runPolicy"] = {"ttlSecondsAfterFinished": 60}
    scene.made("Complete")
    assert plan(scene.seen()).requeue_after == 60
    scene.job = None
    scene.spec["script"] = {"inline": "for"}
    assert plan(scene.seen()).requeue_after == 60


def test_a_job_edited_after_its_end_keeps_its_time_to_live(scene) -> None:
    scene.spec["runPolicy"] = {"ttlSecondsAfterFinished": 60}
    scene.made("Complete")
    scene.status = plan(scene.seen()).status | {"observedGeneration": 0}
    scene.now += datetime.timedelta(seconds=20)
    assert plan(scene.seen()).requeue_after == 40


def test_a_deletion_that_was_refused_is_tried_again(scene) -> None:
    scene.spec["runPolicy"] = {"ttlSecondsAfterFinished": 0}
    scene.made("Complete")
    scene.status = plan(scene.seen()).status
    assert plan(scene.seen()).requeue_after


def test_what_was_refused_is_not_tried_again_at_every_look(scene) -> None:
    scene.made()
    scene.refusal = "quota exceeded"
    assert plan(scene.seen()).requeue_after >= 10


def test_restarts_never_go_down_and_the_last_failure_restarts_nothing(scene) -> None:
    scene.made(failed=2)
    first = plan(scene.seen()).status
    assert first["restarts"] == 2
    scene.status = first
    scene.made(failed=0)
    assert plan(scene.seen()).status is None or plan(scene.seen()).status["restarts"] == 2
    scene.made("Failed", failed=3)
    assert plan(scene.seen()).status["restarts"] == 2


def test_an_event_is_published_at_a_change_of_phase_only(scene) -> None:
    scene.made()
    first = plan(scene.seen())
    assert first.event.reason == "Pending"
    scene.status = first.status
    assert plan(scene.seen()).event is None


def test_a_refused_change_is_told_while_training_goes_on(scene) -> None:
    scene.made()
    for rank in (0, 1):
        scene.pod(rank, "Running", ready=True)
    calm = plan(scene.seen())
    refused = plan(dataclasses.replace(scene.seen(), refusal="quota exceeded"))
    assert refused.phase == calm.phase
    assert (refused.apply, refused.change) == ((), None)
    assert conditions(refused)["Accepted"]["message"] == "quota exceeded"
    assert conditions(refused)["PodsReady"]["status"] == "True"


def test_a_running_job_is_resized_without_an_interruption(scene) -> None:
    scene.made()
    scene.job["spec"] = {"parallelism": 2}
    scene.spec["workers"] = 4
    scene.pod(0, "Running", ready=True)
    decided = plan(scene.seen())
    assert decided.change["spec"]["parallelism"] == decided.change["spec"]["completions"] == 4
    assert "ConfigMap" in [body["kind"] for body in decided.apply]


def test_agents_get_a_token_of_their_own_before_there_are_any(scene) -> None:
    decided = plan(scene.seen())
    (job,) = (body for body in decided.apply if body["kind"] == "Job")
    volumes = job["spec"]["template"]["spec"]["volumes"]
    (name,) = (v["secret"]["secretName"] for v in volumes if v["name"] == "token")
    assert decided.secret["metadata"]["name"] == name
    assert "data" not in decided.secret


def test_a_tensorboard_no_longer_wanted_is_removed(scene) -> None:
    scene.made()
    scene.spec["tensorboard"] = {"enabled": True}
    scene.status = plan(scene.seen()).status
    scene.spec["tensorboard"] = {"enabled": False}
    assert sorted(body["kind"] for body in plan(scene.seen()).remove) == ["Deployment", "Service"]


def test_a_tensorboard_no_longer_wanted_goes_with_a_job_that_is_made_anew(scene) -> None:
    scene.spec["tensorboard"] = {"enabled": True}
    decided = plan(scene.seen())
    scene.status = decided.status
    scene.made()
    scene.job["metadata"]["annotations"] = decided.apply[-1]["metadata"]["annotations"]
    scene.spec |= {"image": "mine:2", "tensorboard": {"enabled": False}}
    removed = [body["kind"] for body in plan(scene.seen()).remove]
    assert sorted(removed) == ["Deployment", "Job", "Service"]


def test_a_job_that_can_no_longer_be_accepted_does_not_train_on(scene) -> None:
    scene.made()
    scene.spec["script"] = {"inline": "for"}
    decided = plan(scene.seen())
    assert decided.phase == "Failed"
    assert [body["metadata"]["uid"] for body in decided.remove] == ["job"]


def test_the_python_of_another_image_may_know_more(scene) -> None:
    scene.spec |= {"image": "mine:1", "script": {"inline": "type X = for"}}
    assert plan(scene.seen()).apply


def _running(scene) -> None:
    """A job that runs, its status written."""
    scene.made()
    scene.job["metadata"]["annotations"][APPLIED] = digest(read_job(scene.seen().resource))
    for rank in range(2):
        scene.pod(rank, "Running", ready=True, podIP=f"10.0.0.{rank}")
    scene.chief_does(TrainerPhase.TRAINING)
    scene.status = plan(scene.seen()).status


def test_a_status_with_news_is_told_at_once_and_one_with_other_numbers_may_wait(scene) -> None:
    _running(scene)
    farther = scene.chief.report.model_copy(update={"step": 7})
    scene.chief = scene.chief.model_copy(update={"report": farther})
    moved = plan(scene.seen())
    assert moved.status["progress"]["step"] == 7
    assert 0 < moved.waits <= 5
    scene.job["status"]["failed"] = 1
    restarted = plan(scene.seen())
    assert restarted.status["restarts"] == 1
    assert restarted.waits == 0
    scene.spec["runPolicy"] = {"suspend": True}
    assert plan(scene.seen()).waits == 0


def test_how_many_workers_are_ready_may_wait_and_why_they_are_not_is_told_at_once(scene) -> None:
    scene.made()
    scene.pod(0, "Pending")
    scene.pod(1, "Pending")
    scene.status = plan(scene.seen()).status
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    scene.pods[1]["status"]["conditions"] = [{**unscheduled, "message": "no node has a GPU"}]
    assert plan(scene.seen()).waits == 0
    scene.pods.clear()
    scene.pod(0, "Running", ready=True, podIP="10.0.0.1")
    scene.pod(1, "Pending")
    counted = plan(scene.seen())
    assert counted.status["readyWorkers"] == 1
    assert 5 < counted.waits <= 15


def test_a_chief_is_asked_only_while_its_pod_runs(scene) -> None:
    scene.made()
    scene.pod(0, "Pending")
    scene.pod(1, "Pending")
    waiting = plan(scene.seen())
    scene.pods.clear()
    _running(scene)
    running = plan(scene.seen())
    assert (waiting.asks_chief, running.asks_chief) == (False, True)
    assert waiting.requeue_after > 10 * running.requeue_after
