"""The operator's parts together, over HTTP: where work begins, and jobs that fare badly."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import kopf
import pytest

from kubefit.controller import following, reconcile, worklist
from kubefit.controller.api import Api
from kubefit.controller.chief import Chiefs
from kubefit.controller.connection import ApiError
from kubefit.controller.metrics import Metrics
from kubefit.controller.reconcile import Reconciler
from kubefit.controller.view import View
from kubefit.controller.worklist import Worklist
from kubefit.core.observed import Defaults

TRAININGS = "apis/kubefit.dev/v1alpha1/namespaces/team/trainingjobs"
JOBS = "apis/batch/v1/namespaces/team/jobs"
SERVICE = "api/v1/namespaces/team/services/digits"


def _submit(server, name: str) -> None:
    body: dict[str, Any] = {"apiVersion": "kubefit.dev/v1alpha1", "kind": "TrainingJob"}
    spec = {"storage": {"create": {"size": "1Gi"}}, "script": {"inline": "print(1)"}}
    server.put(f"{TRAININGS}/{name}", {**body, "metadata": {"generation": 1}, "spec": spec})


def _phase(server, name: str) -> str:
    return server.objects[f"{TRAININGS}/{name}"].get("status", {}).get("phase", "")


def _asked(server, path: str) -> list[str]:
    """Verbs of the requests for that object, or to make one of its kind."""
    collection = path.rpartition("/")[0]
    return [verb for verb, at, _ in server.requests if at in (path, collection)]


@asynccontextmanager
async def operating(connection, host) -> AsyncIterator[Metrics]:
    metrics, view, chiefs = Metrics(), View(), Chiefs()
    api = Api(connection)
    api.leads = lambda: True
    reconciler = Reconciler(
        api=api, chiefs=chiefs, view=view, metrics=metrics, defaults=Defaults(image="trainer:1")
    )
    worked = Worklist(reconciler.work)
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(server=host)

    async def follow() -> None:
        await following.read(api, view, ())
        following.register(registry, view=view, metrics=metrics, worklist=worked)
        await kopf.operator(
            registry=registry, settings=following.settings(), standalone=True, clusterwide=True
        )

    task = asyncio.create_task(follow())
    try:
        yield metrics
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await worked.close()
        await reconciler.close()
        await chiefs.close()


def test_nothing_is_decided_before_all_kinds_are_known(serving) -> None:
    async def scene() -> None:
        async with serving() as (server, connection):
            _submit(server, "digits")
            server.refused = lambda verb, path: 503 if path == "api/v1/pods" else 0
            async with operating(connection, server.host):
                await server.until(
                    lambda: sum(path == "api/v1/pods" for _, path, _ in server.requests) > 9
                )
                assert all(verb == "GET" for verb, _, _ in server.requests)
                server.refused = lambda verb, path: 0
                await server.until(lambda: f"{JOBS}/digits" in server.objects)

    asyncio.run(scene())


def test_jobs_whose_passes_always_fail_leave_the_others_prompt(serving) -> None:
    async def scene() -> None:
        async with serving() as (server, connection):
            bad = 50
            for number in range(bad):
                _submit(server, f"bad-{number}")
            server.refused = lambda verb, path: 500 if verb == "PATCH" and "/bad-" in path else 0
            async with operating(connection, server.host) as metrics:
                failed = {"result": "error"}
                await server.until(
                    lambda: (
                        (metrics.registry.get_sample_value("kubefit_reconcile_total", failed) or 0)
                        >= bad
                    )
                )
                _submit(server, "good")
                seen = len(server.requests)
                await server.until(lambda: _phase(server, "good") == "Pending")
                assert f"{JOBS}/good" in server.objects
                meanwhile = [path for _, path, _ in server.requests[seen:] if "/bad-" in path]
                assert len(meanwhile) < 10 * bad

    asyncio.run(scene())


def test_no_change_is_missed_through_a_storm_of_refusals(serving) -> None:
    async def scene() -> None:
        async with serving() as (server, connection), operating(connection, server.host):
            _submit(server, "digits")
            await server.until(lambda: _phase(server, "digits") == "Pending")
            server.faults.extend([429, 500, "drop"] * 20)
            for plural in ("jobs", "pods", "persistentvolumeclaims", "trainingjobs"):
                server.end(plural)
            _submit(server, "meanwhile")
            ended = {"conditions": [{"type": "Complete", "status": "True"}]}
            server.put(f"{JOBS}/digits", {**server.objects[f"{JOBS}/digits"], "status": ended})
            await server.until(lambda: _phase(server, "digits") == "Succeeded")
            await server.until(lambda: _phase(server, "meanwhile") == "Pending")

    asyncio.run(scene())


def test_a_job_that_always_fails_is_looked_at_less_and_less_often(serving, monkeypatch) -> None:
    waits: list[int] = []
    monkeypatch.setattr(reconcile, "delay", lambda n, at_most: waits.append(n) or 0.0)
    monkeypatch.setattr(worklist, "_REST_SECONDS", 0.0)

    async def scene() -> None:
        async with serving() as (server, connection):
            server.refused = lambda verb, path: 500 if path.endswith("/services") else 0
            _submit(server, "digits")
            async with operating(connection, server.host):
                await server.until(lambda: len(waits) == 5)
                server.refused = lambda verb, path: 0
                await server.until(lambda: _phase(server, "digits") == "Pending")
                server.refused = lambda verb, path: 500 if path.endswith("/status") else 0
                server.put(f"{TRAININGS}/digits", {"metadata": {"generation": 2}})
                await server.until(lambda: len(waits) > 6)

    asyncio.run(scene())
    assert waits[:5] == [1, 2, 3, 4, 5]
    assert 1 in waits[5:]


def test_a_job_made_anew_in_one_burst_of_events_is_looked_at(serving) -> None:
    async def scene() -> None:
        async with serving() as (server, connection), operating(connection, server.host):
            _submit(server, "digits")
            await server.until(lambda: _phase(server, "digits") == "Pending")
            old = server.objects.pop(f"{TRAININGS}/digits")
            for path in [path for path in server.objects if path.endswith("/digits")]:
                del server.objects[path]
            going = {**old["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
            server.tell("trainingjobs", "MODIFIED", {**old, "metadata": going})
            server.tell("trainingjobs", "DELETED", {**old, "metadata": going})
            metadata = {"generation": 1, "uid": "second"}
            kind = {key: old[key] for key in ("apiVersion", "kind", "spec")}
            server.put(f"{TRAININGS}/digits", {**kind, "metadata": metadata})
            await server.until(lambda: _phase(server, "digits") == "Pending")
            assert f"{JOBS}/digits" in server.objects

    asyncio.run(scene())


def test_what_is_followed_is_not_written_to_whatever_finalizers_it_has(serving) -> None:
    async def scene() -> None:
        async with serving() as (server, connection):
            claim = "api/v1/namespaces/other/persistentvolumeclaims/data"
            finalizers = ["kopf.zalando.org/KopfFinalizerMarker"]
            server.put(claim, {"metadata": {"finalizers": finalizers}})
            async with operating(connection, server.host):
                _submit(server, "digits")
                await server.until(lambda: _phase(server, "digits") == "Pending")
                server.put(claim, {"metadata": {"finalizers": finalizers, "labels": {"a": "b"}}})
                _submit(server, "later")
                await server.until(lambda: _phase(server, "later") == "Pending")
                assert not [verb for verb, path, _ in server.requests if path == claim]

    asyncio.run(scene())


def test_a_missing_right_is_named_before_anything_is_followed(serving) -> None:
    async def scene() -> None:
        async with serving() as (server, connection):
            server.refused = lambda verb, path: 403 if path == "api/v1/pods" else 0
            with pytest.raises(ApiError) as caught:
                await following.read(Api(connection), View(), ())
            assert caught.value.code == 403

    asyncio.run(scene())


def test_what_is_not_there_is_created_with_one_request(serving) -> None:
    async def scene() -> None:
        async with serving() as (server, connection), operating(connection, server.host):
            _submit(server, "digits")
            await server.until(lambda: _phase(server, "digits") == "Pending")
            assert _asked(server, SERVICE) == ["POST"]
            events = "api/v1/namespaces/team/events"
            await server.until(lambda: ("POST", events) in [one[:2] for one in server.requests])

    asyncio.run(scene())


def test_what_the_job_has_already_is_applied_even_where_a_quota_is_full(serving) -> None:
    async def scene() -> None:
        async with serving() as (server, connection):
            _submit(server, "digits")
            owner = {"kind": "TrainingJob", "name": "digits", "uid": f"{TRAININGS}/digits"}
            server.put(SERVICE, {"metadata": {"ownerReferences": [owner]}})
            server.refused = lambda verb, path: 403 if verb == "POST" and "/serv" in path else 0
            async with operating(connection, server.host):
                await server.until(lambda: _phase(server, "digits") == "Pending")
                assert _asked(server, SERVICE) == ["POST", "GET", "PATCH"]

    asyncio.run(scene())


def test_what_is_somebody_elses_stays_and_the_job_waits_for_it(serving) -> None:
    async def scene() -> None:
        async with serving() as (server, connection):
            server.put(SERVICE, {"spec": {"selector": {"app": "other"}}})
            _submit(server, "digits")
            async with operating(connection, server.host):
                await server.until(lambda: bool(_phase(server, "digits")))
            told = server.objects[f"{TRAININGS}/digits"]["status"]["conditions"]
            assert any("does not belong to this job" in one["message"] for one in told)
            assert f"{JOBS}/digits" not in server.objects
            assert _asked(server, SERVICE) == ["POST", "GET"]

    asyncio.run(scene())
