"""The operator deletes only what is the job's own, and notices what is gone already."""

import asyncio
import copy
from typing import Any

import pytest
from kubernetes.aio import client

from kubefit.controller.api import Api
from kubefit.controller.connection import ApiError, Connection
from kubefit.controller.metrics import Metrics
from kubefit.controller.reconcile import Reconciler
from kubefit.controller.view import View
from kubefit.core.observed import Defaults

KEY = ("team", "digits")
SPEC = {"storage": {"claim": "data"}, "script": {"inline": "print(1)"}}


class Stored:
    """An API server with these objects; remembers what was deleted."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        self.objects = {(one["kind"], one["metadata"]["name"]): one for one in objects}
        self.deleted: list[tuple[str, str]] = []
        self.asked: list[str] = []

    async def get(self, body: dict[str, Any]) -> dict[str, Any] | None:
        self.asked.append(body["kind"])
        return copy.deepcopy(self.objects.get((body["kind"], body["metadata"]["name"])))

    async def remove(self, body: dict[str, Any]) -> None:
        self.deleted.append((body["kind"], body["metadata"]["uid"]))

    async def delete(self, resource: dict[str, Any]) -> None:
        self.deleted.append(("TrainingJob", resource["metadata"]["uid"]))

    async def apply(self, body: dict[str, Any]) -> dict[str, Any]:
        metadata = {**body["metadata"], "uid": f"new {body['kind']}", "resourceVersion": "9"}
        return {**body, "metadata": metadata}

    async def create(self, body: dict[str, Any]) -> None:
        return

    async def write_status(self, resource: dict[str, Any], status: Any) -> dict[str, Any]:
        versioned = {**resource["metadata"], "resourceVersion": "8"}
        return {**resource, "metadata": versioned, "status": status}


class NoChief:
    async def ask(self, pods: tuple[Any, ...]) -> None:
        return None


def _training(status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    metadata = {"name": "digits", "namespace": "team", "uid": "it", "resourceVersion": "1"}
    return {
        "apiVersion": "kubefit.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {**metadata, "generation": 2},
        "spec": {**SPEC, **spec},
        "status": status,
    }


def _child(kind: str, name: str, **metadata: Any) -> dict[str, Any]:
    labels = {"kubefit.dev/job": "digits"}
    made = {"name": name, "namespace": "team", "uid": f"old {kind}", "resourceVersion": "2"}
    return {"kind": kind, "metadata": {**made, "labels": labels, **metadata}, "spec": {}}


def _worked(api: Stored, *known: dict[str, Any]) -> View:
    async def scene() -> View:
        view, metrics = View(), Metrics()
        view.put_claim(_child("PersistentVolumeClaim", "data"))
        for one in known:
            put = view.put_job if one["kind"] == "Job" else view.put_training
            put(copy.deepcopy(one))
        reconciler = Reconciler(
            api=api, chiefs=NoChief(), view=view, metrics=metrics, defaults=Defaults(image="a:1")
        )
        await reconciler.work(KEY, asyncio.Event())
        return view

    return asyncio.run(scene())


def test_a_tensorboard_of_somebody_else_stays_when_that_of_the_job_is_switched_off() -> None:
    owners = [{"uid": "it", "kind": "TrainingJob", "name": "digits"}]
    job = _training({"phase": "Suspended", "tensorboard": "x"}, runPolicy={"suspend": True})
    api = Stored(
        job,
        _child("Deployment", "digits-tensorboard"),
        _child("Service", "digits-tensorboard", ownerReferences=owners),
    )
    _worked(api, job)
    assert api.deleted == [("Service", "old Service")]


@pytest.mark.parametrize("phase", ["Suspended", "Queued"])
def test_a_job_at_rest_whose_end_was_missed_is_made_anew(phase) -> None:
    owners = [{"uid": "it", "kind": "TrainingJob", "name": "digits"}]
    training = _training({"phase": phase})
    view = _worked(Stored(training), training, _child("Job", "digits", ownerReferences=owners))
    assert view.job(KEY, "it")["metadata"]["uid"] == "new Job"


def test_a_job_that_is_gone_is_forgotten_though_no_watch_said_so() -> None:
    over = {"phase": "Succeeded", "observedGeneration": 2, "completionTime": "2020-01-01T00:00:00Z"}
    training = _training(over, runPolicy={"ttlSecondsAfterFinished": 1})
    api = Stored()
    assert _worked(api, training).resource(KEY) is None
    assert api.deleted == [("TrainingJob", "it")]
    assert _worked(Stored(), _training({"phase": "Pending"})).resource(KEY) is None


@pytest.mark.parametrize(("code", "error"), [(404, False), (409, False), (403, True)])
def test_what_is_gone_or_belongs_to_a_later_job_needs_no_deletion(serving, code, error) -> None:
    async def scene() -> None:
        async with serving() as (server, _):
            connection = Connection(client.Configuration(host=server.host), lambda *_: None)
            api = Api(connection)
            api.leads = lambda: True
            server.refused = lambda verb, path: code
            try:
                await api.delete(_training({}))
            except ApiError:
                assert error
            else:
                assert not error
            await connection.close()

    asyncio.run(scene())
