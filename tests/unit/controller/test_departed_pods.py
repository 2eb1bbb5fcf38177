"""Pods that were taken away and are gone before anything looked at why."""

import asyncio
from typing import Any

from kubefit.api.errors import read_job
from kubefit.controller import reconcile
from kubefit.controller.metrics import Metrics
from kubefit.controller.reconcile import Reconciler
from kubefit.controller.view import View
from kubefit.core.desired import APPLIED, digest
from kubefit.core.observed import Defaults

Document = dict[str, Any]
KEY = ("team", "digits")
PREEMPTED = {
    "type": "DisruptionTarget",
    "status": "True",
    "reason": "PreemptionByScheduler",
    "lastTransitionTime": "2026-01-01T00:00:05Z",
}


class NoChief:
    async def ask(self, pods: tuple[Document, ...]) -> None:
        """Nobody answers."""


class Stored:
    """An API server that takes every status, or `down`, none."""

    def __init__(self) -> None:
        self.statuses: list[Document] = []
        self.down = False
        self.pods: list[Document] = []

    async def write_status(self, resource: Document, status: Document) -> Document:
        if self.down:
            raise OSError("no route")
        self.statuses.append(status)
        version = str(int(resource["metadata"]["resourceVersion"]) + 1)
        metadata = {**resource["metadata"], "resourceVersion": version}
        return {**resource, "metadata": metadata, "status": status}

    async def create(self, body: Document) -> None:
        assert body["kind"] == "Event"

    async def get(self, body: Document) -> Document:
        return body

    async def stored(self, kind: Any, *, namespace: str, label: str) -> Any:
        assert (kind, namespace, label) == (("", "v1", "pods"), "team", "kubefit.dev/job=digits")
        for pod in self.pods:
            yield pod


def _metadata(name: str, uid: str, **more: Any) -> Document:
    return {"name": name, "namespace": "team", "uid": uid, "resourceVersion": "1", **more}


def _training() -> Document:
    return {
        "apiVersion": "kubefit.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": _metadata("digits", "training", generation=1),
        "spec": {
            "workers": 1,
            "storage": {"create": {"size": "1Gi"}},
            "script": {"inline": "print(1)"},
        },
    }


def _job() -> Document:
    annotations = {APPLIED: digest(read_job(_training()))}
    labels, owners = {"kubefit.dev/job": "digits"}, [{"uid": "training"}]
    more = {"labels": labels, "annotations": annotations, "ownerReferences": owners}
    return {"metadata": _metadata("digits", "job", **more), "spec": {}}


def _pod(name: str, *, owner: str = "job", taken: bool = False) -> Document:
    more: Document = {
        "labels": {"kubefit.dev/job": "digits"},
        "annotations": {"batch.kubernetes.io/job-completion-index": "0"},
        "ownerReferences": [{"uid": owner}],
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    if taken:
        more["deletionTimestamp"] = "2026-01-01T00:00:06Z"
    status = {"phase": "Running", "conditions": [PREEMPTED] if taken else []}
    return {
        "metadata": _metadata(name, name, **more),
        "spec": {"nodeName": "east", "containers": []},
        "status": status,
    }


def _view() -> View:
    view = View()
    view.put_training(_training())
    view.put_job(_job())
    view.put_pod(_pod("digits-0-a"))
    return view


def _reconciler(view: View, api: Stored) -> Reconciler:
    defaults = Defaults(image="trainer:1")
    return Reconciler(api=api, chiefs=NoChief(), view=view, metrics=Metrics(), defaults=defaults)


def test_a_pod_that_is_gone_before_the_pass_is_told_by_its_cause_once() -> None:
    async def scene() -> None:
        view, api = _view(), Stored()
        reconciler = _reconciler(view, api)
        await reconciler.work(KEY, asyncio.Event())
        view.drop_pod(_pod("digits-0-a", taken=True))
        assert await reconciler.work(KEY, asyncio.Event()) == 0.0
        failure = api.statuses[-1]["failure"]
        assert (failure["reason"], failure["pod"]) == ("PreemptedByScheduler", "digits-0-a")
        assert failure["message"].startswith("rank 0 (pod digits-0-a): a pod of higher priority")
        assert view.pods_of(KEY, "job") == ()
        await reconciler.work(KEY, asyncio.Event())
        assert api.statuses[-1]["failures"] == [failure]

    asyncio.run(scene())


def test_it_is_told_by_a_later_pass_when_the_status_cannot_be_written() -> None:
    async def scene() -> None:
        view, api = _view(), Stored()
        reconciler = _reconciler(view, api)
        await reconciler.work(KEY, asyncio.Event())
        view.drop_pod(_pod("digits-0-a", taken=True))
        api.down = True
        await reconciler.work(KEY, asyncio.Event())
        api.down = False
        await reconciler.work(KEY, asyncio.Event())
        assert api.statuses[-1]["failure"]["reason"] == "PreemptedByScheduler"

    asyncio.run(scene())


def test_pods_that_were_told_to_stop_or_whose_job_is_gone_are_not_kept() -> None:
    view = _view()
    told_to_stop = _pod("digits-0-a")
    told_to_stop["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:06Z"
    view.drop_pod(told_to_stop)
    view.drop_pod(_pod("older-0", owner="older", taken=True))
    assert view.pods_of(KEY, "job") == view.pods_of(KEY, "older") == ()
    view.drop_pod(_pod("digits-0-b", taken=True))
    view.drop_job(_job())
    assert view.pods_of(KEY, "job") == ()


def test_the_pod_in_its_place_is_the_latest_of_its_rank() -> None:
    async def scene() -> None:
        view, api = _view(), Stored()
        reconciler = _reconciler(view, api)
        await reconciler.work(KEY, asyncio.Event())
        view.drop_pod(_pod("digits-0-a", taken=True))
        view.put_pod(_pod("digits-0-b"))
        await reconciler.work(KEY, asyncio.Event())
        assert api.statuses[-1]["failure"]["pod"] == "digits-0-a"
        assert [pod["metadata"]["name"] for pod in view.pods_of(KEY, "job")] == ["digits-0-b"]

    asyncio.run(scene())


def test_a_pod_whose_end_no_watch_brought_is_forgotten_after_a_while(monkeypatch) -> None:
    async def scene() -> None:
        view, api = _view(), Stored()
        view.put_pod(_pod("digits-0-b"))
        api.pods = [_pod("digits-0-b"), _pod("digits-0-c")]
        reconciler = _reconciler(view, api)
        await reconciler.work(KEY, asyncio.Event())
        assert len(view.pods_of(KEY, "job")) == 2
        monkeypatch.setattr(reconcile, "_SURE_SECONDS", 0.0)
        await reconciler.work(KEY, asyncio.Event())
        assert [pod["metadata"]["name"] for pod in view.pods_of(KEY, "job")] == ["digits-0-b"]

    asyncio.run(scene())
