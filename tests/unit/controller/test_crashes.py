"""An operator that is killed between any two of its writes: the next one finishes the work."""

import asyncio
import copy
import itertools
import math
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest

from kubefit.api.names import GangScheduler
from kubefit.controller.connection import ApiError
from kubefit.controller.metrics import Metrics
from kubefit.controller.reconcile import Reconciler
from kubefit.controller.view import View
from kubefit.core.observed import Defaults

Document = dict[str, Any]
KEY = ("team", "digits")
JOB = ("Job", "digits")
TRAINING = ("TrainingJob", "digits")


class Killed(BaseException):
    """The operator's process is gone."""


class Cluster:
    """What an API server stores; the operator is killed before its write of that number."""

    def __init__(self, killed_before: float) -> None:
        self.objects: dict[tuple[str, str], Document] = {}
        self.writes = 0
        self._killed_before = killed_before
        self._uids = itertools.count()
        self._versions = itertools.count()

    def submit(self) -> None:
        spec = {
            "workers": 2,
            "storage": {"create": {"size": "1Gi"}},
            "tensorboard": {"enabled": True},
            "scheduling": {"gang": True},
            "script": {"inline": "print(1)"},
        }
        metadata = {"name": "digits", "namespace": "team", "generation": 1}
        self._store(
            {
                "apiVersion": "kubefit.dev/v1alpha1",
                "kind": "TrainingJob",
                "metadata": metadata,
                "spec": spec,
            }
        )

    def edit(self, change: Document) -> None:
        training = self.objects[TRAINING]
        training["spec"] = _merged(training["spec"], change)
        training["metadata"]["generation"] += 1
        self._store(training)

    def completed(self) -> None:
        ended = {"conditions": [{"type": "Complete", "status": "True"}]}
        self._store({**self.objects[JOB], "status": ended})

    async def get(self, body: Document) -> Document | None:
        return copy.deepcopy(self.objects.get(_key(body)))

    async def apply(self, body: Document) -> Document:
        self._count()
        return self._store(_merged(self.objects.get(_key(body), {}), body))

    async def change(self, body: Document) -> None:
        self._count()
        self._store(_merged(self.objects[_key(body)], body))

    async def create(self, body: Document) -> None:
        self._count()
        if body["kind"] == "Event":
            return
        if _key(body) in self.objects:
            raise ApiError(HTTPStatus.CONFLICT, "exists")
        self._store(body)

    async def remove(self, body: Document) -> None:
        self._count()
        self.objects.pop(_key(body), None)

    async def write_status(self, resource: Document, status: Document) -> Document:
        self._count()
        return self._store({**self.objects[TRAINING], "status": status})

    async def delete(self, resource: Document) -> None:
        self._count()
        owner = resource["metadata"]["uid"]
        for key, found in list(self.objects.items()):
            owners = found["metadata"].get("ownerReferences", [])
            if key == TRAINING or any(one["uid"] == owner for one in owners):
                del self.objects[key]

    def show(self, view: View) -> None:
        """What the watches of an operator bring."""
        found = copy.deepcopy(self.objects)
        if TRAINING in found:
            view.put_training(found[TRAINING])
        elif resource := view.resource(KEY):
            view.drop_training(resource)
        if JOB in found:
            view.put_job(found[JOB])
        elif TRAINING in found and (job := view.job(KEY, found[TRAINING]["metadata"]["uid"])):
            view.drop_job(job)

    def _store(self, body: Document) -> Document:
        body = copy.deepcopy(body)
        body["metadata"].setdefault("uid", f"uid-{next(self._uids)}")
        body["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[_key(body)] = body
        return copy.deepcopy(body)

    def _count(self) -> None:
        if self.writes == self._killed_before:
            self._killed_before = math.inf
            raise Killed
        self.writes += 1


class NoChief:
    async def ask(self, pods: tuple[Document, ...]) -> None:
        return None


def _key(body: Document) -> tuple[str, str]:
    return body["kind"], body["metadata"]["name"]


def _merged(old: Document, new: Document) -> Document:
    merged = dict(old)
    for name, value in new.items():
        inside = isinstance(value, dict) and isinstance(old.get(name), dict)
        merged[name] = _merged(old[name], value) if inside else value
    return merged


def _timeless(value: Any) -> Any:
    """Without moments, versions, uids and the random token."""
    if isinstance(value, dict):
        left_out = ("uid", "resourceVersion", "stringData")
        return {
            name: _timeless(one)
            for name, one in value.items()
            if name not in left_out and not name.lower().endswith("time")
        }
    return [_timeless(one) for one in value] if isinstance(value, list) else value


def _edits(**spec: Any) -> Callable[[Cluster], None]:
    return lambda cluster: cluster.edit(spec)


WHOLE_LIFE: dict[str, Callable[[Cluster], None]] = {
    "submitted": Cluster.submit,
    "without TensorBoard": _edits(tensorboard={"enabled": False}),
    "resized": _edits(workers=3),
    "suspended": _edits(runPolicy={"suspend": True}),
    "resumed": _edits(runPolicy={"suspend": False}),
    "of another image": _edits(image="mine:2"),
    "completed": Cluster.completed,
    "expired": _edits(runPolicy={"ttlSecondsAfterFinished": 0}),
}
SPOILED: dict[str, Callable[[Cluster], None]] = {
    "submitted": Cluster.submit,
    "spoiled": _edits(script={"inline": "print("}),
}


def _operator(cluster: Cluster, view: View, metrics: Metrics) -> Reconciler:
    defaults = Defaults(image="trainer:1", gang_scheduler=GangScheduler.KUBERNETES)
    return Reconciler(api=cluster, chiefs=NoChief(), view=view, metrics=metrics, defaults=defaults)


async def _settle(cluster: Cluster) -> None:
    """Passes until one finds nothing to do; after one that was killed, by another operator."""
    view, metrics = View(), Metrics()
    operator = _operator(cluster, view, metrics)
    for _ in range(20):
        cluster.show(view)
        before = cluster.writes
        try:
            await operator.work(KEY, asyncio.Event())
        except Killed:
            operator = _operator(cluster, view, metrics)
            continue
        if cluster.writes == before:
            failed = {"result": "error"}
            assert not metrics.registry.get_sample_value("kubefit_reconcile_total", failed)
            return
    raise AssertionError("there is always something left to do")


def _life(
    steps: dict[str, Callable[[Cluster], None]], killed_before: float = math.inf
) -> tuple[dict[str, Any], int]:
    """What is stored after each step of a job's life, and how many writes it took."""
    cluster, stored = Cluster(killed_before), {}
    for name, step in steps.items():
        step(cluster)
        asyncio.run(_settle(cluster))
        stored[name] = {key: _timeless(one) for key, one in cluster.objects.items()}
    return stored, cluster.writes


def test_the_lives_of_these_jobs_have_all_that_could_be_lost() -> None:
    stored, _ = _life(WHOLE_LIFE)
    kinds = {kind for kind, _ in stored["submitted"]}
    assert kinds >= {"TrainingJob", "Job", "Service", "ConfigMap", "Secret", "Deployment"}
    assert "PodGroup" in kinds
    assert ("Deployment", "digits-tensorboard") not in stored["without TensorBoard"]
    assert stored["resized"][JOB]["spec"]["parallelism"] == 3
    assert not {JOB, ("PodGroup", "digits")} & set(stored["suspended"])
    (container,) = stored["of another image"][JOB]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "mine:2"
    assert stored["resumed"][JOB]["spec"]["parallelism"] == 3
    assert stored["completed"][TRAINING]["status"]["phase"] == "Succeeded"
    assert TRAINING not in stored["expired"]
    stored, _ = _life(SPOILED)
    assert JOB not in stored["spoiled"]
    assert stored["spoiled"][TRAINING]["status"]["phase"] == "Failed"


@pytest.mark.parametrize("steps", [WHOLE_LIFE, SPOILED], ids=["whole life", "spoiled"])
def test_an_operator_killed_before_any_of_its_writes_loses_nothing(steps) -> None:
    undisturbed, writes = _life(steps)
    for number in range(writes):
        stored, _ = _life(steps, number)
        assert stored == undisturbed, f"killed before write {number}"
