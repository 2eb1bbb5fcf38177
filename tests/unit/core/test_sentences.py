"""What is said of pods that wait or are gone: one row for each cause, as kubelets show it."""

from typing import Any

import pytest

from kubefit.core.causes import first_cause
from kubefit.core.diagnose import not_ready

NODE = {"nodeName": "node-7"}


def _unscheduled(message: str, reason: str = "Unschedulable") -> dict[str, Any]:
    marked = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    return {"conditions": [marked]}


def _waiting(reason: str, message: str, image: str = "registry.example/mine:1") -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"containerStatuses": [{"name": "trainer", "image": image, "state": state}]}


def _killed(reason: str = "Error", code: int = 137) -> dict[str, Any]:
    ended = {"exitCode": code, "reason": reason, "finishedAt": "2026-01-02T03:04:05Z"}
    return {"containerStatuses": [{"name": "trainer", "state": {"terminated": ended}}]}


def _disrupted(reason: str, message: str = "") -> dict[str, Any]:
    marked = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}
    return {"conditions": [marked], **_killed()}


WAITS = {
    "cpu": (
        _unscheduled(
            "0/3 nodes are available: 1 Insufficient cpu, 2 Insufficient memory. preemption: 0/3"
            " nodes are available: 3 No preemption victims found for incoming pod."
        ),
        {"resources": {"requests": {"cpu": "100"}, "limits": {"memory": "1Ti"}}},
        "Unschedulable",
        "no node takes it: 0/3 nodes are available: 1 Insufficient cpu, 2 Insufficient memory; it"
        " asks for 100 of cpu: lower spec.resources, or add nodes that have it; it asks for 1Ti of"
        " memory: lower spec.resources, or add nodes that have it",
    ),
    "gpu of any vendor": (
        _unscheduled("0/1 nodes are available: 1 Insufficient amd.com/gpu."),
        {"resources": {"limits": {"amd.com/gpu": "8"}}},
        "Unschedulable",
        "no node takes it: 0/1 nodes are available: 1 Insufficient amd.com/gpu; it asks for 8 of"
        " amd.com/gpu: lower spec.resources, or add nodes that have it",
    ),
    "taint": (
        _unscheduled(
            "0/2 nodes are available: 2 node(s) had untolerated taint {gpu: yes}. no new claims to"
            " deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for"
            " scheduling."
        ),
        {},
        "Unschedulable",
        "no node takes it: 0/2 nodes are available: 2 node(s) had untolerated taint {gpu: yes}; add"
        " spec.podTemplate.spec.tolerations for it, or take the taint away",
    ),
    "selector": (
        _unscheduled(
            "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
        ),
        {},
        "Unschedulable",
        "no node takes it: 0/1 nodes are available: 1 node(s) didn't match Pod's node"
        " affinity/selector; correct spec.podTemplate.spec.nodeSelector or affinity, or label a"
        " node",
    ),
    "cordoned": (
        _unscheduled("0/1 nodes are available: 1 node(s) were unschedulable."),
        {},
        "Unschedulable",
        "no node takes it: 0/1 nodes are available: 1 node(s) were unschedulable; uncordon a node"
        " (kubectl uncordon)",
    ),
    "no nodes": (
        _unscheduled("no nodes available to schedule pods"),
        {},
        "Unschedulable",
        "no node takes it: no nodes available to schedule pods",
    ),
    "gates": (
        _unscheduled("Scheduling is blocked due to non-empty scheduling gates", "SchedulingGated"),
        {"schedulingGates": [{"name": "example.com/room"}]},
        "SchedulingGated",
        "waits for its scheduling gates (example.com/room) to be removed",
    ),
    "claim": (
        _unscheduled(
            "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
            " preemption:"
            " 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
        ),
        {"volumes": [{"name": "volume", "persistentVolumeClaim": {"claimName": "training"}}]},
        "ClaimUnbound",
        "the claim training is not bound to a volume (0/1 nodes are available: pod has unbound"
        " immediate PersistentVolumeClaims); look at kubectl describe pvc: its storage class must"
        " exist, and offer its access mode and size",
    ),
    "image, first try": (
        _waiting(
            "ErrImagePull",
            'failed to resolve reference "registry.example/mine:1": not found',
        ),
        {},
        "ImagePullBackOff",
        "the image registry.example/mine:1 cannot be pulled: failed to resolve reference"
        ' "registry.example/mine:1": not found; correct spec.image, or give the registry\'s'
        " credentials in spec.podTemplate.spec.imagePullSecrets",
    ),
    "image, later": (
        _waiting(
            "ImagePullBackOff",
            'Back-off pulling image "registry.example/mine:1": ErrImagePull: failed to resolve'
            ' reference "registry.example/mine:1": not found',
        ),
        {},
        "ImagePullBackOff",
        "the image registry.example/mine:1 cannot be pulled: failed to resolve reference"
        ' "registry.example/mine:1": not found; correct spec.image, or give the registry\'s'
        " credentials in spec.podTemplate.spec.imagePullSecrets",
    ),
    "image, older kubelets": (
        _waiting("ImagePullBackOff", 'Back-off pulling image "registry.example/mine:1"'),
        {},
        "ImagePullBackOff",
        "the image registry.example/mine:1 cannot be pulled: the pull is tried again after a while;"
        " correct spec.image, or give the registry's credentials in"
        " spec.podTemplate.spec.imagePullSecrets",
    ),
    "name of an image": (
        _waiting("InvalidImageName", 'Failed to apply default image tag "Mine::1"', "Mine::1"),
        {},
        "InvalidImageName",
        'spec.image: Mine::1 is no name of an image; Failed to apply default image tag "Mine::1"',
    ),
    "image that may not be pulled": (
        _waiting("ErrImageNeverPull", "Container image is not present with pull policy of Never"),
        {},
        "ErrImageNeverPull",
        "the image registry.example/mine:1 is not on the node, and may not be pulled; Container"
        " image is not present with pull policy of Never",
    ),
    "configuration": (
        _waiting("CreateContainerConfigError", 'secret "keys" not found'),
        {},
        "CreateContainerConfigError",
        'container trainer cannot be configured: secret "keys" not found; create what is missing,'
        " or correct spec.podTemplate",
    ),
    "start": (
        _waiting("CreateContainerError", "no such device"),
        {},
        "CreateContainerError",
        "container trainer waits: no such device (image registry.example/mine:1)",
    ),
}
GONE = {
    "killed": (_killed(), {}, "Killed", "the container was killed by SIGKILL"),
    "memory": (
        _killed("OOMKilled"),
        {"resources": {"limits": {"memory": "2Gi"}}},
        "OutOfMemory",
        "killed at its memory limit of 2Gi: raise spec.resources.limits.memory",
    ),
    "memory of the node": (
        _killed("OOMKilled"),
        {},
        "OutOfMemory",
        "killed because the node ran out of memory: set spec.resources.requests.memory",
    ),
    "eviction for memory": (
        {
            "reason": "Evicted",
            "message": "The node was low on resource: memory. Threshold quantity: 100Mi, available:"
            " 9Mi. ",
            **_disrupted("TerminationByKubelet", "The node was low on resource: memory."),
        },
        NODE,
        "Evicted",
        "was evicted by node node-7: The node was low on resource: memory. Threshold quantity:"
        " 100Mi, available: 9Mi; set spec.resources.requests.memory to what a worker needs",
    ),
    "eviction for disk": (
        {
            "reason": "Evicted",
            "message": "Pod ephemeral local storage usage exceeds the total limit of containers"
            " 1Gi. ",
            **_killed(),
        },
        NODE,
        "Evicted",
        "was evicted by node node-7: Pod ephemeral local storage usage exceeds the total limit of"
        " containers 1Gi; raise ephemeral-storage in spec.resources, or write to the job's volume",
    ),
    "preemption": (
        _disrupted("PreemptionByScheduler", "default-scheduler: preempting"),
        NODE,
        "PreemptedByScheduler",
        "a pod of higher priority took its place on node node-7; it starts again where there is"
        " room, and a priorityClassName in spec.podTemplate.spec keeps its place",
    ),
    "drain": (
        _disrupted("EvictionByEvictionAPI", "Eviction API: evicting"),
        NODE,
        "Evicted",
        "was evicted from node node-7, as by a drain; it starts again on another node",
    ),
    "taint": (
        _disrupted("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"),
        NODE,
        "NodeTainted",
        "node node-7 got a taint that the pod does not tolerate, as nodes do that are not ready or"
        " out of reach; it starts again on another node",
    ),
    "node": (
        _disrupted("DeletionByPodGC", "PodGC: node no longer exists"),
        NODE,
        "NodeLost",
        "node node-7 is gone; it starts again on another node",
    ),
    "node that does not answer": (
        {"reason": "NodeLost", "message": "Node node-7 is unresponsive"},
        NODE,
        "NodeLost",
        "node node-7 is out of reach; it starts again on another node",
    ),
    "shutdown": (
        {
            "reason": "Terminated",
            "message": "Pod was terminated in response to imminent node shutdown.",
            **_disrupted("TerminationByKubelet"),
        },
        NODE,
        "NodeShutdown",
        "node node-7 shuts down; it starts again on another node",
    ),
    "a reason of tomorrow": (
        _disrupted("DeletionByStarlight", "Starlight: deleting."),
        {},
        "Disrupted",
        "was taken from its node (Starlight: deleting)",
    ),
    "refused by the kubelet": (
        {
            "reason": "OutOfcpu",
            "message": "Pod was rejected: Node didn't have enough resource: cpu",
        },
        NODE,
        "OutOfcpu",
        "Pod was rejected: Node didn't have enough resource: cpu",
    ),
}


def _pod(scene, phase: str, status: dict[str, Any], spec: dict[str, Any]) -> None:
    pod = scene.pod(1, phase, **status)
    pod["spec"] |= {key: value for key, value in spec.items() if key != "resources"}
    pod["spec"]["containers"][0]["resources"] = spec.get("resources", {})


@pytest.mark.parametrize(("status", "spec", "reason", "sentence"), WAITS.values(), ids=WAITS)
def test_what_a_pod_waits_for(scene, status, spec, reason, sentence) -> None:
    _pod(scene, "Pending", status, spec)
    assert not_ready(scene.pods) == (reason, f"rank 1 (pod digits-1-0): {sentence}")


@pytest.mark.parametrize(("status", "spec", "reason", "sentence"), GONE.values(), ids=GONE)
def test_why_a_pod_is_gone(scene, status, spec, reason, sentence) -> None:
    _pod(scene, "Failed", status, spec)
    found = first_cause(tuple(scene.pods))
    assert (found.reason, found.message) == (reason, f"rank 1 (pod digits-1-0): {sentence}")
    assert (found.pod, found.rank) == ("digits-1-0", 1)
