"""What a TrainingJob says to Kueue: labels and annotations that its Job takes over.

Kueue admits Jobs by their `spec.suspend`, and starts a suspended Job that it has admitted. So the
operator never changes `suspend` of a Job; one that the user suspends has no Job at all.
"""

from collections.abc import Mapping

from kubefit.api.names import GROUP, LABEL_QUEUE
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.core.observed import Object

_OF_KUEUE = ("kueue.x-k8s.io/", "provreq.kueue.x-k8s.io/")
_TAKEN_OVER = f"{GROUP}/labels-for-queue"
"""Annotation of the Job: names of the labels taken over; Kueue may add some of its own."""


def queue(job: TrainingJob) -> str:
    """Name of the LocalQueue that admits the job; empty when it asks for none."""
    return job.metadata.labels.get(LABEL_QUEUE, "")


def labels(job: TrainingJob) -> dict[str, str]:
    """Labels of the Job, and not of its pods, which Kueue would take for Jobs of their own."""
    return _of_kueue(job.metadata.labels)


def annotations(job: TrainingJob) -> dict[str, str]:
    """Annotations of the Job, for instance for provisioning requests."""
    taken = {_TAKEN_OVER: _names(job)} if labels(job) else {}
    return _of_kueue(job.metadata.annotations) | taken


def moved(existing: Object, job: TrainingJob) -> dict[str, dict[str, str | None]]:
    """Labels to change of a Job that exists, and the note of them; None takes one away.

    Nothing while it runs: Kueue refuses another queue then, or suspends a Job that had none.
    """
    if not existing.get("spec", {}).get("suspend"):
        return {}
    metadata, new = existing["metadata"], labels(job)
    old = metadata.get("labels", {})
    taken = metadata.get("annotations", {}).get(_TAKEN_OVER, "").split(",")
    gone = {name: None for name in taken if name in old and name not in new}
    changed = gone | {name: value for name, value in new.items() if old.get(name) != value}
    return {"labels": changed, "annotations": {_TAKEN_OVER: _names(job) or None}} if changed else {}


def _names(job: TrainingJob) -> str:
    return ",".join(sorted(labels(job)))


def _of_kueue(given: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in given.items() if name.startswith(_OF_KUEUE)}
