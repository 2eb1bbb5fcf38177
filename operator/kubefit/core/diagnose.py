"""Why pods are not ready yet, in one sentence that a user can act on."""

import re
from collections.abc import Iterable

from kubefit.core import uncreated, unschedulable, unstarted, workers
from kubefit.core.observed import Object, Observed

_WAITING_FOR_NOTHING = ("ContainerCreating", "PodInitializing")
_PULLS = ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError")
_BACK_OFF = re.compile(r'^Back-off pulling image "[^"]*"(: )?(ErrImagePull: )?')


def trouble(observed: Observed) -> tuple[str, str] | None:
    """Reason and sentence of what keeps the workers from being ready; None when nothing does."""
    return uncreated.told(observed) or not_ready(observed.pods) or unstarted.told(observed)


def not_ready(pods: Iterable[Object]) -> tuple[str, str] | None:
    """Reason and sentence of the lowest rank that waits for something; None when none does."""
    for _, pod in sorted(workers.latest(pods).items()):
        found = unschedulable.told(pod) or _waiting(pod) or _fetching(pod)
        if found:
            reason, message = found
            return reason, f"{workers.called(pod)}: {message}"
    return None


def _fetching(pod: Object) -> tuple[str, str] | None:
    return ("Fetching", "spec.fetch is carried out") if workers.fetches(pod) else None


def _waiting(pod: Object) -> tuple[str, str] | None:
    status = pod.get("status", {})
    for container in (
        *status.get("initContainerStatuses", ()),
        *status.get("containerStatuses", ()),
    ):
        waiting = container.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") not in (None, *_WAITING_FOR_NOTHING):
            return _told(str(waiting["reason"]), str(waiting.get("message", "")), container)
    return None


def _told(reason: str, words: str, container: Object) -> tuple[str, str]:
    name, image = container["name"], container.get("image") or "?"
    said = words.rstrip(". ")
    if reason in _PULLS:
        # Kubelets say both in turn, and the first only in front of the other's words.
        said = _BACK_OFF.sub("", said) or "the pull is tried again after a while"
        return "ImagePullBackOff", (
            f"the image {image} cannot be pulled: {said}; correct spec.image, or give the"
            " registry's credentials in spec.podTemplate.spec.imagePullSecrets"
        )
    if reason == "InvalidImageName":
        return reason, f"spec.image: {image} is no name of an image; {said}"
    if reason == "ErrImageNeverPull":
        return reason, f"the image {image} is not on the node, and may not be pulled; {said}"
    if reason == "CreateContainerConfigError":
        return reason, (
            f"container {name} cannot be configured: {said}; create what is missing, or correct"
            " spec.podTemplate"
        )
    return reason, f"container {name} waits: {said or reason} (image {image})"
