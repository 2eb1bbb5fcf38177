"""What a pass writes, and that a pass over an unchanged world writes nothing."""

import dataclasses
import datetime

from kubefit.api.errors import read_job
from kubefit.core.desired import APPLIED, digest
from kubefit.core.plan import plan


def conditions(decided) -> dict[str, dict]:
    return {c["type"]: c for c in decided.status["conditions"]}


def test_a_new_job_gets_service_configuration_and_one_indexed_job_whatever_its_size(scene) -> None:
    for workers in (1, 2, 1024):
        scene.spec["workers"] = workers
        kinds = [body["kind"] for body in plan(scene.seen()).apply]
        assert kinds == ["Service", "ConfigMap", "Job"]


def test_claim_and_tensorboard_come_before_the_job_that_needs_them(scene) -> None:
    scene.spec["storage"] = {"create": {"size": "1Gi"}}
    scene.spec["tensorboard"] = {"enabled": True}
    kinds = [body["kind"] for body in plan(scene.seen()).apply]
    assert sorted(kinds[:-1]) == [
        "ConfigMap",
        "Deployment",
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
    scene.spec["runPolicy"] = {"suspend": True}
    decided = plan(scene.seen())
    assert decided.change["spec"]["suspend"] is True
    assert "template" not in decided.change["spec"]
    assert "Job" not in [body["kind"] for body in decided.apply]


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
    scene.job["spec"] = {"suspend": False, "parallelism": 2}
    scene.spec["workers"] = 4
    scene.pod(0, "Running", ready=True)
    decided = plan(scene.seen())
    assert decided.change["spec"]["suspend"] is False
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


def test_a_job_that_can_no_longer_be_accepted_does_not_train_on(scene) -> None:
    scene.made()
    scene.spec["script"] = {"inline": "for"}
    decided = plan(scene.seen())
    assert decided.phase == "Failed"
    assert decided.change["spec"] == {"suspend": True}


def test_the_python_of_another_image_may_know_more(scene) -> None:
    scene.spec |= {"image": "mine:1", "script": {"inline": "type X = for"}}
    assert plan(scene.seen()).apply
