"""When a status is written, and what is left out meanwhile."""

import asyncio
import itertools
from typing import Any

import pytest

from kubefit.api.contract import AgentPhase, TrainerPhase, TrainerReport, WorkerStatus
from kubefit.api.errors import read_job
from kubefit.controller import rounds
from kubefit.controller.metrics import Metrics
from kubefit.controller.reconcile import Reconciler
from kubefit.controller.view import View
from kubefit.core import plan
from kubefit.core.desired import APPLIED, digest
from kubefit.core.observed import Defaults

Document = dict[str, Any]
KEY = ("team", "digits")


class Chiefs:
    """Rank 0 is a step farther each time that it is asked."""

    def __init__(self) -> None:
        self._steps = itertools.count(1)

    async def ask(self, pods: tuple[Document, ...]) -> WorkerStatus:
        report = TrainerReport(phase=TrainerPhase.TRAINING, step=next(self._steps), updated=1.0)
        return WorkerStatus(rank=0, workers=1, attempt=1, phase=AgentPhase.RUNNING, report=report)


class Statuses:
    """An API server that counts the statuses that it gets."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.edited_meanwhile: Document = {}

    async def write_status(self, resource: Document, status: Document) -> Document:
        self.steps.append(status["progress"]["step"])
        version = str(int(resource["metadata"]["resourceVersion"]) + 1)
        metadata = {**resource["metadata"], "resourceVersion": version, **self.edited_meanwhile}
        return {**resource, "metadata": metadata, "status": status}

    async def create(self, body: Document) -> None:
        assert body["kind"] == "Event"


def _running() -> View:
    metadata = {"name": "digits", "namespace": "team", "uid": "a", "resourceVersion": "1"}
    training = {
        "apiVersion": "kubefit.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {**metadata, "generation": 1},
        "spec": {
            "workers": 1,
            "storage": {"create": {"size": "1Gi"}},
            "script": {"inline": "print(1)"},
        },
    }
    child = {
        **metadata,
        "labels": {"kubefit.dev/job": "digits"},
        "annotations": {
            APPLIED: digest(read_job(training)),
            "batch.kubernetes.io/job-completion-index": "0",
        },
        "ownerReferences": [{"uid": "a"}],
    }
    status = {
        "phase": "Running",
        "podIP": "10.0.0.1",
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    view = View()
    view.put_training(training)
    view.put_job({"metadata": child, "spec": {}})
    view.put_pod({"metadata": child, "status": status})
    return view


def _reconciler(statuses: Statuses) -> Reconciler:
    return Reconciler(
        api=statuses,
        chiefs=Chiefs(),
        view=_running(),
        metrics=Metrics(),
        defaults=Defaults(image="trainer:1"),
    )


async def _passes(reconciler: Reconciler, number: int) -> list[float | None]:
    return [await reconciler.work(KEY, asyncio.Event()) for _ in range(number)]


def test_progress_waits_and_a_new_phase_does_not() -> None:
    statuses = Statuses()
    waits = asyncio.run(_passes(_reconciler(statuses), 5))
    assert statuses.steps == [1]
    assert waits[0] == 0.0
    assert all(0 < wait <= 2.0 for wait in waits[1:])


def test_progress_is_written_when_it_has_waited_long_enough(monkeypatch) -> None:
    monkeypatch.setattr(plan, "_PROGRESS_WAITS_SECONDS", 0.0)
    monkeypatch.setattr(rounds, "_WRITTEN_A_SECOND", float("inf"))
    statuses = Statuses()
    asyncio.run(_passes(_reconciler(statuses), 5))
    assert statuses.steps == [1, 2, 3, 4, 5]


def test_where_many_jobs_train_each_has_its_turn_less_often(monkeypatch) -> None:
    monkeypatch.setattr(rounds, "_ASKED_A_SECOND", 0.1)
    monkeypatch.setattr(rounds, "_WRITTEN_A_SECOND", 0.1)
    waits = asyncio.run(_passes(_reconciler(Statuses()), 3))
    assert waits[1:] == pytest.approx([10.0, 10.0], abs=0.5)


def test_progress_is_written_a_while_after_the_last_time_not_after_it_changed(monkeypatch) -> None:
    monkeypatch.setattr(plan, "_PROGRESS_WAITS_SECONDS", 5.0)
    monkeypatch.setattr(rounds, "_WRITTEN_A_SECOND", 0.01)
    statuses = Statuses()

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        begun, passed = loop.time(), [0.0]
        monkeypatch.setattr(loop, "time", lambda: begun + passed[0])
        monkeypatch.setattr(rounds, "_AT_LATEST_SECONDS", 100.0)
        reconciler = _reconciler(statuses)
        for passed[0] in (0.0, 50.0, 94.0, 96.0, 101.0):
            await reconciler.work(KEY, asyncio.Event())

    asyncio.run(scene())
    assert statuses.steps == [1, 5]


def test_a_job_edited_while_its_status_was_written_is_looked_at_again_at_once(monkeypatch) -> None:
    monkeypatch.setattr(plan, "_PROGRESS_WAITS_SECONDS", 0.0)
    monkeypatch.setattr(rounds, "_WRITTEN_A_SECOND", float("inf"))
    statuses = Statuses()
    reconciler = _reconciler(statuses)

    async def scene() -> None:
        await reconciler.work(KEY, asyncio.Event())
        assert await reconciler.work(KEY, asyncio.Event()) == 2.0
        statuses.edited_meanwhile = {"generation": 2}
        assert await reconciler.work(KEY, asyncio.Event()) == 0.0

    asyncio.run(scene())
