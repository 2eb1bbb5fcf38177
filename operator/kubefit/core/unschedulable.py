"""Why no node takes a pod: the scheduler's words, with what the pod asks for and what to do."""

import re
from collections.abc import Iterator

from kubefit.core.observed import Object

_INSUFFICIENT = re.compile(r"Insufficient ([\w./-]+\w)")
_ADVICE = (
    ("untolerated taint", "add spec.podTemplate.spec.tolerations for it, or take the taint away"),
    (
        "node affinity/selector",
        "correct spec.podTemplate.spec.nodeSelector or affinity, or label a node",
    ),
    ("were unschedulable", "uncordon a node (kubectl uncordon)"),
    ("volume node affinity", "the volume can be used on certain nodes only, which must have room"),
    ("topology spread", "loosen spec.podTemplate.spec.topologySpreadConstraints, or add nodes"),
    ("anti-affinity", "loosen spec.podTemplate.spec.affinity, or add nodes"),
    ("free ports", "take hostPort out of spec.podTemplate, or add nodes"),
    ("Too many pods", "add nodes"),
)
_CLAIM = re.compile(r'unbound immediate|persistent volumes to bind|persistentvolumeclaim "')


def told(pod: Object) -> tuple[str, str] | None:
    """Reason and sentence; None for a pod that has a node, or that nobody has tried to place."""
    for condition in pod.get("status", {}).get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            # What follows the first sentence tells that taking the place of others does not help.
            words = str(condition.get("message", "")).split(". ")[0].rstrip(". ")
            if condition.get("reason") == "SchedulingGated":
                gates = ", ".join(g["name"] for g in pod["spec"].get("schedulingGates", ()))
                return "SchedulingGated", f"waits for its scheduling gates ({gates}) to be removed"
            if _CLAIM.search(words):
                return "ClaimUnbound", _unbound(pod, words)
            advice = "; ".join((*_lacking(pod, words), *_advice(words)))
            said = f"no node takes it: {words}" if words else "no node takes it"
            return "Unschedulable", f"{said}; {advice}" if advice else said
    return None


def _lacking(pod: Object, words: str) -> Iterator[str]:
    """For each resource that is short: how much of it the pod asks for."""
    for resource in dict.fromkeys(_INSUFFICIENT.findall(words)):
        asked = ", ".join(_asked(pod, resource)) or "some"
        yield f"it asks for {asked} of {resource}: lower spec.resources, or add nodes that have it"


def _asked(pod: Object, resource: str) -> Iterator[str]:
    for container in pod["spec"]["containers"]:
        resources = container.get("resources", {})
        found = resources.get("requests", {}).get(resource) or resources.get("limits", {}).get(
            resource
        )
        if found:
            yield str(found)


def _advice(words: str) -> Iterator[str]:
    return (advice for sign, advice in _ADVICE if sign in words)


def _unbound(pod: Object, words: str) -> str:
    claims = [
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["spec"].get("volumes", ())
        if "persistentVolumeClaim" in volume
    ]
    names = " or ".join(dict.fromkeys(claims)) or "one"
    return (
        f"the claim {names} is not bound to a volume ({words}); look at kubectl describe pvc:"
        " its storage class must exist, and offer its access mode and size"
    )
