"""Where the workers may be placed, beside what the user's pod template says of each."""

import pytest

from kubefit.core.plan import plan

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def pod(scene):
    return plan(scene.seen()).apply[-1]["spec"]["template"]["spec"]


def anti_affinity(scene):
    return pod(scene)["affinity"]["podAntiAffinity"]


def test_one_per_node_keeps_the_workers_of_this_job_apart_and_no_others(scene) -> None:
    scene.spec["scheduling"] = {"onePerNode": True}
    (term,) = anti_affinity(scene)[REQUIRED]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    assert term["labelSelector"]["matchLabels"] == {
        "kubefit.dev/job": "digits",
        "kubefit.dev/role": "worker",
    }
    assert "namespaces" not in term


def test_one_per_node_adds_to_the_affinity_that_the_user_asks_for(scene) -> None:
    own = {"labelSelector": {"matchLabels": {"app": "noisy"}}, "topologyKey": "zone"}
    node = {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": []}]}}
    affinity = {"nodeAffinity": node, "podAntiAffinity": {REQUIRED: [own]}}
    scene.spec["podTemplate"] = {"spec": {"affinity": affinity}}
    scene.spec["scheduling"] = {"onePerNode": True}
    assert anti_affinity(scene)[REQUIRED][0] == own
    assert len(anti_affinity(scene)[REQUIRED]) == 2
    assert pod(scene)["affinity"]["nodeAffinity"] == node


def test_without_a_wish_there_is_no_affinity(scene) -> None:
    assert "affinity" not in pod(scene)


@pytest.mark.parametrize(
    "name",
    ["nvidia.com/gpu", "nvidia.com/gpu.shared", "nvidia.com/mig-1g.10gb", "amd.com/gpu"],
)
def test_a_device_has_whatever_name_its_vendor_gives_it(scene, name) -> None:
    scene.spec["resources"] = {"limits": {name: 1}}
    assert pod(scene)["containers"][0]["resources"]["limits"] == {name: 1}
