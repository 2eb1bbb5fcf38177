"""Who took a pod away that had not failed by itself, and what to do about it."""

from kubefit.core.observed import Object

_COMES_BACK = "it starts again on another node"
_BY_CONDITION = {
    "PreemptionByScheduler": (
        "PreemptedByScheduler",
        "a pod of higher priority took its place on {node}; it starts again where there is room,"
        " and a priorityClassName in spec.podTemplate.spec keeps its place",
    ),
    "EvictionByEvictionAPI": (
        "Evicted",
        f"was evicted from {{node}}, as by a drain; {_COMES_BACK}",
    ),
    "DeletionByTaintManager": (
        "NodeTainted",
        "{node} got a taint that the pod does not tolerate, as nodes do that are not ready or out"
        f" of reach; {_COMES_BACK}",
    ),
    "DeletionByPodGC": ("NodeLost", f"{{node}} is gone; {_COMES_BACK}"),
}
"""By the reason of the condition DisruptionTarget."""
_BY_STATUS = {
    "NodeLost": ("NodeLost", f"{{node}} is out of reach; {_COMES_BACK}"),
    "NodeShutdown": ("NodeShutdown", f"{{node}} shuts down; {_COMES_BACK}"),
    "Shutdown": ("NodeShutdown", f"{{node}} shuts down; {_COMES_BACK}"),
    "Terminated": ("NodeShutdown", f"{{node}} shuts down; {_COMES_BACK}"),
    "Preempting": (
        "PreemptedByKubelet",
        f"{{node}} needed its place for a critical pod; {_COMES_BACK}",
    ),
}
"""By `status.reason`, which the kubelet and the node's controller set."""
_ADVICE = (
    ("resource: memory", "set spec.resources.requests.memory to what a worker needs"),
    ("ephemeral", "raise ephemeral-storage in spec.resources, or write to the job's volume"),
    ("EmptyDir", "raise its sizeLimit in spec.podTemplate, or write to the job's volume"),
)
"""What helps against an eviction by the kubelet, by what it says."""


def told(pod: Object) -> tuple[str, str] | None:
    """Reason and sentence; None for a pod that nobody took away."""
    status = pod.get("status", {})
    node = f"node {pod['spec']['nodeName']}" if pod["spec"].get("nodeName") else "its node"
    if status.get("reason") == "Evicted":
        return "Evicted", _evicted(str(status.get("message", "")), node)
    marked = _condition(pod)
    found = _BY_STATUS.get(status.get("reason", "")) or (
        _BY_CONDITION.get(marked.get("reason", "")) if marked else None
    )
    if found:
        reason, sentence = found
        return reason, sentence.format(node=node)
    if marked:
        words = str(marked.get("message", "")).rstrip(". ")
        return "Disrupted", f"was taken from {node} ({words or marked.get('reason')})"
    return None


def since(pod: Object) -> str | None:
    """When it was marked to be taken away."""
    marked = _condition(pod)
    return marked.get("lastTransitionTime") if marked else None


def _condition(pod: Object) -> Object | None:
    for condition in pod.get("status", {}).get("conditions", ()):
        if condition["type"] == "DisruptionTarget" and condition["status"] == "True":
            found: Object = condition
            return found
    return None


def _evicted(words: str, node: str) -> str:
    """The kubelet's sentence, with what helps."""
    advice = next((advice for sign, advice in _ADVICE if sign in words), "")
    said = words.strip().rstrip(".") or "no reason was given"
    return f"was evicted by {node}: {said}{'; ' + advice if advice else ''}"
