"""What exists under a child's name is taken over only when it is the job's own."""

import pytest

from kubefit.core.ownership import stranger

JOB = {"metadata": {"name": "digits", "uid": "new"}}


def existing(owner: dict | None = None, labels: dict | None = None) -> dict:
    metadata = {"name": "digits", "labels": labels or {}}
    if owner:
        metadata["ownerReferences"] = [owner]
    return {"metadata": metadata}


@pytest.mark.parametrize("kind", ["ConfigMap", "PersistentVolumeClaim"])
def test_the_object_of_another_is_named_and_left_alone(kind: str) -> None:
    words = stranger(existing(), {"kind": kind}, JOB)
    assert words.startswith(f"{kind} digits exists and does not belong to this job")


def test_the_own_child_is_changed() -> None:
    own = existing({"kind": "TrainingJob", "name": "digits", "uid": "new"})
    assert stranger(own, {"kind": "ConfigMap"}, JOB) == ""


def test_an_own_child_that_goes_is_waited_for() -> None:
    own = existing({"kind": "TrainingJob", "name": "digits", "uid": "new"})
    own["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z"
    assert "PodGroup digits is about to go" in stranger(own, {"kind": "PodGroup"}, JOB)


def test_the_child_of_a_deleted_namesake_is_waited_for() -> None:
    old = existing({"kind": "TrainingJob", "name": "digits", "uid": "old"})
    assert "earlier job of this name" in stranger(old, {"kind": "Service"}, JOB)


def test_a_retained_claim_is_used_again() -> None:
    kept = existing(labels={"kubefit.dev/job": "digits"})
    assert stranger(kept, {"kind": "PersistentVolumeClaim"}, JOB) == ""
    assert stranger(kept, {"kind": "ConfigMap"}, JOB) != ""
