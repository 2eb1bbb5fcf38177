"""What is known of the cluster, and which jobs a change matters to."""

from typing import Any

from kubefit.controller.view import View

KEY = ("team", "digits")


def _one(name: str, version: int, uid: str = "a", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "team", "uid": uid, "resourceVersion": str(version)}
    return {"metadata": {**metadata, **more.pop("metadata", {})}, **more}


def _training(version: int, claim: str = "data", uid: str = "a") -> dict[str, Any]:
    return _one("digits", version, uid, spec={"storage": {"claim": claim}})


def _child(name: str, version: int, owner: str = "a") -> dict[str, Any]:
    labels = {"kubefit.dev/job": "digits", "kubefit.dev/role": "worker"}
    return _one(name, version, metadata={"labels": labels, "ownerReferences": [{"uid": owner}]})


def test_what_is_older_than_what_is_known_says_nothing() -> None:
    view = View()
    assert view.put_training(_training(9)) == (KEY,)
    assert view.put_training(_training(9)) == ()
    assert view.put_training(_training(8, claim="older")) == ()
    assert view.resource(KEY) == _training(9)
    assert view.put_training(_training(10)) == (KEY,)


def test_a_job_made_anew_replaces_its_namesake_and_the_end_of_that_one_comes_too_late() -> None:
    view = View()
    view.put_training(_training(9))
    assert view.put_training(_training(12, uid="b")) == (KEY,)
    assert view.put_training(_training(10)) == ()
    assert view.drop_training(_training(11)) == (KEY,)
    assert view.resource(KEY)["metadata"]["uid"] == "b"
    view.put_claim(_one("data", 13, uid="old"))
    assert view.put_claim(_one("data", 15, uid="new")) == (KEY,)
    view.drop_claim(_one("data", 14, uid="old"))
    assert view.claims_of(_training(12)) == {"data"}
    view.put_pod(_child("digits-0", 16))
    newer = _child("digits-0", 18)
    newer["metadata"]["uid"] = "second"
    view.put_pod(newer)
    view.drop_pod(_child("digits-0", 17))
    assert view.pods_of(KEY, "a") == (newer,)


def test_pods_of_a_namesake_are_left_over_and_never_the_jobs_own() -> None:
    view = View()
    view.put_pod(_child("old", 1, owner="gone"))
    view.put_pod(_child("new", 2))
    assert [pod["metadata"]["name"] for pod in view.pods_of(KEY, "a")] == ["new"]
    assert view.drop_pod(_child("new", 2)) == (KEY,)
    assert view.leftovers(KEY) == ("old",)
    assert view.drop_pod(_child("old", 1)) == (KEY,)
    assert view.leftovers(KEY) == ()


def test_a_claim_matters_to_the_jobs_that_name_it_when_it_comes_and_goes() -> None:
    view = View()
    view.put_training(_training(1))
    assert view.put_claim(_one("other", 1)) == ()
    assert view.put_claim(_one("data", 1)) == (KEY,)
    assert view.put_claim(_one("data", 2)) == ()
    assert view.claims_of(_training(1)) == {"data"}
    assert view.drop_claim(_one("data", 3)) == (KEY,)
    assert view.claims_of(_training(1)) == set()
    view.put_training(_training(2, claim="other"))
    assert view.put_claim(_one("data", 4)) == ()


def test_a_job_that_is_being_deleted_counts_as_gone() -> None:
    view = View()
    view.put_training(_one("digits", 1, spec={}, metadata={"deletionTimestamp": "now"}))
    assert view.resource(KEY) is None
    view.drop_training(_training(2))
    assert view.trainings() == []
