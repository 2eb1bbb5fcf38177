"""Gangs: one PodGroup for a job, in the words of whichever scheduler the cluster has."""

import pytest

from kubefit.api.names import GangScheduler
from kubefit.core.observed import Defaults
from kubefit.core.plan import plan


@pytest.fixture
def gang(scene):
    """A job that asks for a gang."""
    scene.spec |= {"workers": 4, "scheduling": {"gang": True}}
    return scene


def made(scene, scheduler, name=""):
    """The PodGroup and the pod template of the job where that scheduler is in use."""
    defaults = Defaults(image="trainer:1", gang_scheduler=scheduler, gang_scheduler_name=name)
    scene.defaults = defaults
    objects = plan(scene.seen()).apply
    assert objects[0]["kind"] == "PodGroup"
    return objects[0], objects[-1]["spec"]["template"]


def test_kubernetes_places_the_pods_that_name_the_group(gang) -> None:
    group, template = made(gang, GangScheduler.KUBERNETES)
    assert group["apiVersion"] == "scheduling.k8s.io/v1beta1"
    assert group["spec"]["schedulingPolicy"] == {"gang": {"minCount": 4}}
    assert template["spec"]["schedulingGroup"] == {"podGroupName": "digits"}
    assert "schedulerName" not in template["spec"]


def test_coscheduling_knows_its_pods_by_a_label(gang) -> None:
    group, template = made(gang, GangScheduler.COSCHEDULING)
    assert group["apiVersion"] == "scheduling.x-k8s.io/v1alpha1"
    assert group["spec"] == {"minMember": 4}
    assert template["metadata"]["labels"]["scheduling.x-k8s.io/pod-group"] == "digits"


def test_volcano_knows_its_pods_by_an_annotation_and_is_their_scheduler(gang) -> None:
    gang.annotations = {"scheduling.volcano.sh/queue-name": "research"}
    gang.spec["podTemplate"] = {"spec": {"priorityClassName": "high"}}
    group, template = made(gang, GangScheduler.VOLCANO)
    assert group["apiVersion"] == "scheduling.volcano.sh/v1beta1"
    assert group["spec"] == {"minMember": 4, "queue": "research", "priorityClassName": "high"}
    assert template["metadata"]["annotations"] == {"scheduling.k8s.io/group-name": "digits"}
    assert template["spec"]["schedulerName"] == "volcano"


@pytest.mark.parametrize("scheduler", GangScheduler)
def test_a_gang_belongs_to_its_job_and_an_elastic_one_needs_only_its_least(gang, scheduler) -> None:
    gang.spec["elastic"] = {"minWorkers": 2}
    group, _ = made(gang, scheduler)
    assert group["metadata"]["ownerReferences"][0]["uid"] == "owner"
    policy = group["spec"].get("schedulingPolicy", {}).get("gang", group["spec"])
    assert set(policy.values()) == {2}
    assert "disruptionMode" not in group["spec"]


@pytest.mark.parametrize("scheduler", GangScheduler)
def test_the_installation_names_the_scheduler_and_the_job_may_name_another(gang, scheduler) -> None:
    assert made(gang, scheduler, "second")[1]["spec"]["schedulerName"] == "second"
    gang.spec["podTemplate"] = {"spec": {"schedulerName": "third"}}
    assert made(gang, scheduler, "second")[1]["spec"]["schedulerName"] == "third"


def test_a_job_that_asks_for_no_gang_has_none_whatever_the_cluster_has(scene) -> None:
    scene.defaults = Defaults(image="trainer:1", gang_scheduler=GangScheduler.VOLCANO)
    objects = plan(scene.seen()).apply
    assert "PodGroup" not in [body["kind"] for body in objects]
    assert "annotations" not in objects[-1]["spec"]["template"]["metadata"]


def test_a_gang_that_nobody_would_heed_does_not_start_and_says_so(gang) -> None:
    decided = plan(gang.seen())
    assert decided.apply == ()
    (accepted,) = (c for c in decided.status["conditions"] if c["type"] == "Accepted")
    assert (accepted["status"], accepted["reason"]) == ("False", "NoGangScheduler")
    assert accepted["message"].startswith("spec.scheduling.gang: ")


def test_a_resized_gang_has_another_least_number(gang) -> None:
    made(gang, GangScheduler.VOLCANO)
    gang.made()
    gang.spec["workers"] = 6
    assert plan(gang.seen()).apply[0]["spec"] == {"minMember": 6}


@pytest.fixture
def placed(gang):
    """A gang whose Job there is."""
    gang.defaults = Defaults(image="trainer:1", gang_scheduler=GangScheduler.KUBERNETES)
    job = plan(gang.seen()).apply[-1]
    gang.made()
    gang.job["metadata"]["annotations"] = job["metadata"]["annotations"]
    return gang


def suspended(scene):
    scene.spec["runPolicy"] = {"suspend": True}


def suspended_as_no_gang(scene):
    scene.spec |= {"runPolicy": {"suspend": True}, "scheduling": {}}


def made_anew_as_no_gang(scene):
    scene.spec["scheduling"] = {}


def failed(scene):
    scene.spec["script"] = {"inline": "for"}


@pytest.mark.parametrize("happens", [suspended, suspended_as_no_gang, made_anew_as_no_gang, failed])
def test_a_job_that_is_taken_away_leaves_no_group_that_holds_anything(placed, happens) -> None:
    happens(placed)
    group, job = plan(placed.seen()).remove
    assert (group["apiVersion"], group["kind"]) == ("scheduling.k8s.io/v1beta1", "PodGroup")
    assert group["metadata"] == {"name": "digits", "namespace": "team"}
    assert job["kind"] == "Job"


@pytest.mark.parametrize("scheduler", [None, GangScheduler.VOLCANO])
def test_the_group_of_a_scheduler_without_rights_for_it_keeps_no_job(placed, scheduler) -> None:
    placed.defaults = Defaults(image="trainer:1", gang_scheduler=scheduler)
    placed.spec["runPolicy"] = {"suspend": True}
    assert [body["kind"] for body in plan(placed.seen()).remove] == ["Job"]
