"""One pass over one job: gather, decide, act."""

import asyncio
import dataclasses
import datetime
import logging
import math
import random
import secrets
from http import HTTPStatus

from kubefit.api.contract import WorkerStatus
from kubefit.api.names import APPLY_TYPED_FAULT, LABEL_JOB, TOKEN_KEY, Phase
from kubefit.controller.announcements import Announcements
from kubefit.controller.api import PODS, Api, NotLeadingError
from kubefit.controller.backoff import delay
from kubefit.controller.chief import Chiefs
from kubefit.controller.cluster_events import ClusterEvents
from kubefit.controller.connection import ApiError, UnreachableError
from kubefit.controller.logs import of_job
from kubefit.controller.metrics import Metrics
from kubefit.controller.rounds import Rounds
from kubefit.controller.turns import Sort, Turns
from kubefit.controller.view import View
from kubefit.controller.worklist import Key
from kubefit.core import rights
from kubefit.core.observed import Defaults, Object, Observed
from kubefit.core.ownership import stranger
from kubefit.core.phase import AT_REST, FINAL
from kubefit.core.plan import Plan, plan

_LOG = logging.getLogger("kubefit")
_REFUSALS = frozenset({400, 403, 404, 409, 422})
"""Answers to a write that the same write would get again."""
_CREATED = frozenset({"Service", "ConfigMap", "NetworkPolicy"})
"""Kinds that may be created, not applied: no later version of theirs takes a field back."""
_FAILED_AT_MOST_SECONDS = 30.0
_TOLD_LEFTOVERS = 3
"""So many pods of an earlier job are looked for, where a suspended job may have a thousand."""
_SURE_SECONDS = 300.0
"""A Job and its pods that a watch brought are taken to be there for so long."""


class Reconciler:
    """Carries out passes; of a job it remembers only when to look and to write again."""

    def __init__(
        self, *, api: Api, chiefs: Chiefs, view: View, metrics: Metrics, defaults: Defaults
    ) -> None:
        self._api = api
        self._chiefs = chiefs
        self._view = view
        self._metrics = metrics
        self._defaults = defaults
        self._events = ClusterEvents(api)
        self._announcements = Announcements(api)
        self._turns = Turns()
        self._failures: dict[Key, int] = {}
        """Of jobs whose last passes failed: how many did."""
        self._held: dict[Key, float] = {}
        """Since when a status that may wait is not written."""
        self._told: dict[Key, float] = {}
        """When the last status was written."""
        self._asked: dict[Key, float] = {}
        """When a job's Job was last asked for by name."""
        self._rounds = Rounds()

    async def close(self) -> None:
        """Once no pass is carried out any more."""
        await self._events.close()
        await self._announcements.close()

    async def work(self, key: Key, news: asyncio.Event) -> float | None:
        """One pass, counted; returns when to look again, or None when the job is gone.

        `news` is set when something may have changed.
        """
        log = of_job(_LOG, key)
        with self._metrics.seconds.time():
            try:
                again = await self._pass(key, news)
            except ApiError as error:
                log.warning("the API server said %s: %s", error.code, error)
                return self._failed(key, str(error.code))
            except UnreachableError as error:
                log.warning("no answer from the API server: %s", error)
                return self._failed(key, "Unreachable")
            except NotLeadingError as error:  # whoever leads now looks at every job anew
                log.warning("this operator does not lead, so it left out %s", error)
                return self._failed(key, "NotLeading")
            except Exception as error:  # a fault of ours must not end the work on other jobs
                log.exception("a pass failed")
                return self._failed(key, type(error).__name__)
        self._metrics.passes.labels("success").inc()
        self._failures.pop(key, None)
        return again

    def _failed(self, key: Key, reason: str) -> float:
        self._metrics.passes.labels("error").inc()
        self._metrics.errors.labels(reason).inc()
        failures = self._failures.get(key, 0) + 1
        self._failures[key] = failures
        return delay(failures, at_most=_FAILED_AT_MOST_SECONDS)

    def _forget(self, key: Key) -> None:
        self._metrics.jobs.forget(key)
        self._failures.pop(key, None)
        self._held.pop(key, None)
        self._told.pop(key, None)
        self._asked.pop(key, None)
        self._rounds.leave(key)

    async def _pass(self, key: Key, news: asyncio.Event) -> float | None:
        resource = self._view.resource(key)
        if resource is None:
            self._forget(key)
            return None
        phase = resource.get("status", {}).get("phase")
        chief = None if phase in FINAL else await self._chiefs.ask(self._pods(key, resource))
        owner = resource["metadata"]["uid"]
        sort = Sort.NEWS
        if self._view.job(key, owner) is None:
            sort = Sort.FIRST
        elif phase == Phase.RUNNING and key not in self._failures:
            sort = Sort.ROUND
        async with self._turns.take(sort, news):
            found = self._view.resource(key)
            same = found is not None and found["metadata"]["uid"] == owner
            return await self._decide(key, chief if same else None)

    def _pods(self, key: Key, resource: Object) -> tuple[Object, ...]:
        job = self._view.job(key, resource["metadata"]["uid"])
        return self._view.pods_of(key, job["metadata"]["uid"]) if job else ()

    async def _decide(self, key: Key, chief: WorkerStatus | None) -> float | None:
        observed = await self._gather(key, chief)
        if observed is None:
            self._forget(key)
            return None
        decided = plan(observed)
        try:
            await self._write(observed, decided)
        except ApiError as error:
            words = refusal(error)
            if not words:
                raise
            of_job(_LOG, key).warning("the API server refused: %s", words)
            decided = plan(dataclasses.replace(observed, refusal=words))
        again = await self._tell(key, observed, decided)
        gone = self._view.heard(observed.pods)
        return 0.0 if gone and again is not None else again

    async def _gather(self, key: Key, chief: WorkerStatus | None) -> Observed | None:
        resource = self._view.resource(key)
        if resource is None:
            return None
        phase = resource.get("status", {}).get("phase")
        job = self._view.job(key, resource["metadata"]["uid"])
        if job is not None and self._is_doubtful(key, phase):
            if await self._exists(job):
                await self._drop_missed(key, job)
            else:
                self._view.drop_job(job)
                job = None
        if job is None and phase not in FINAL and not await self._exists(resource):
            self._view.drop_training(resource)
            return None
        now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        pods = self._pods(key, resource)
        return Observed(
            now=now,
            resource=resource,
            defaults=self._defaults,
            job=job,
            pods=pods,
            leftovers=() if job or phase in FINAL else await self._leftovers(key),
            claims=self._view.claims_of(resource),
            refused_pods=await self._events.refused_pods(job, pods, now),
            pod_events=() if phase in FINAL else await self._events.of_unstarted(pods, now),
            chief=chief,
        )

    def _is_doubtful(self, key: Key, phase: str | None) -> bool:
        """Whether the Job and its pods are asked for, as the watches may have missed their end."""
        now = asyncio.get_running_loop().time()
        asked = self._asked.setdefault(key, now)
        if phase not in AT_REST and now < asked + _SURE_SECONDS:
            return False
        self._asked[key] = now
        return True

    async def _exists(self, resource: Object) -> bool:
        """Whether it is still there: a watch that broke may have missed its end."""
        stored = await self._api.get(resource)
        return stored is not None and stored["metadata"]["uid"] == resource["metadata"]["uid"]

    async def _drop_missed(self, key: Key, job: Object) -> None:
        """Takes out of the view the pods that are gone."""
        known = self._view.pods_of(key, job["metadata"]["uid"])
        if known:
            label = f"{LABEL_JOB}={key[1]}"
            found = self._api.stored(PODS, namespace=key[0], label=label)
            there = {pod["metadata"]["uid"] async for pod in found}
            for pod in known:
                if pod["metadata"]["uid"] not in there:
                    self._view.drop_pod(pod)

    async def _leftovers(self, key: Key) -> tuple[str, ...]:
        """Some of those that the view knows, which are still there."""
        found: list[str] = []
        for name in self._view.leftovers(key):
            metadata = {"namespace": key[0], "name": name}
            if await self._api.get({"apiVersion": "v1", "kind": "Pod", "metadata": metadata}):
                found.append(name)
            if len(found) == _TOLD_LEFTOVERS:
                break
        return tuple(found)

    async def _write(self, observed: Observed, decided: Plan) -> None:
        resource = observed.resource
        created = frozenset() if resource.get("status", {}).get("phase") else _CREATED
        others = [body for body in decided.apply if body["kind"] not in created]
        stored = await asyncio.gather(*(self._own(body, resource) for body in others))
        for body in decided.apply:
            if body["kind"] in created:
                await self._create(body, resource)
            elif body["kind"] != "Job":
                await self._api.apply(body)
        if decided.secret is not None:
            await self._create_token(decided.secret)
        if others and others[-1]["kind"] == "Job":
            await self._apply_job(others[-1], stored[-1])
        for body in decided.remove:
            await self._remove(body, resource)
        if decided.change is not None:
            await self._api.change(decided.change)
        if decided.delete:
            await self._api.delete(resource)
            self._view.drop_training(resource)

    async def _remove(self, body: Object, resource: Object) -> None:
        """Deletes what is the job's own; what is not stays."""
        if "uid" in body["metadata"]:
            await self._api.remove(body)
            return
        stored = await self._api.get(body)
        if stored is not None and not stranger(stored, body, resource):
            uid = stored["metadata"]["uid"]
            await self._api.remove({**body, "metadata": {**body["metadata"], "uid": uid}})

    async def _own(self, body: Object, resource: Object) -> Object | None:
        """The object as it is stored; refused when it is somebody else's."""
        stored = await self._api.get(body)
        words = stranger(stored, body, resource) if stored else ""
        if words:
            raise ApiError(HTTPStatus.CONFLICT, words)
        return stored

    async def _create(self, body: Object, resource: Object) -> None:
        """Costs less than a look and an apply; what is there all the same gets those."""
        try:
            await self._api.create(body)
        except ApiError as error:
            # A full quota says no before anybody looks whether it is there.
            if error.code not in (HTTPStatus.CONFLICT, HTTPStatus.FORBIDDEN):
                raise
            await self._own(body, resource)
            await self._api.apply(body)

    async def _apply_job(self, body: Object, stored: Object | None) -> None:
        """A Job of which the view does not know yet is not told again to wait for its queue."""
        if stored and LABEL_JOB in stored["metadata"].get("labels", {}):
            self._view.put_job(stored)
        else:
            self._view.put_job(await self._api.apply(body))

    async def _create_token(self, body: Object) -> None:
        """One that exists stays: agents may have read it."""
        try:
            await self._api.create({**body, "stringData": {TOKEN_KEY: secrets.token_hex()}})
        except ApiError as error:
            if error.code != HTTPStatus.CONFLICT:
                raise

    async def _tell(self, key: Key, observed: Observed, decided: Plan) -> float | None:
        """Writes the status; when to look again, or None when the TrainingJob is not that one."""
        resource = observed.resource
        if decided.phase is not None:
            status = decided.status or resource.get("status", {})
            self._metrics.jobs.see(
                key, resource, phase=decided.phase, status=status, now=observed.now
            )
        again = math.inf if decided.requeue_after is None else decided.requeue_after
        asked = written = 0.0
        if decided.asks_chief:
            asked, written = self._rounds.seconds(key, decided.phase)
        else:
            self._rounds.leave(key)
        again = max(again, asked)
        if decided.status is None:
            self._held.pop(key, None)
            return again
        if decided.waits:
            now = asyncio.get_running_loop().time()
            waited = self._held.setdefault(key, now) + decided.waits
            # After a take-over the first writes are spread over the time of one round.
            told = self._told.setdefault(key, now - written * random.random())
            left = max(waited, told + written) - now
            if left > 0:
                return min(again, left)
        self._held.pop(key, None)
        try:
            stored = await self._api.write_status(resource, decided.status)
        except ApiError as error:
            if error.code in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                self._view.drop_training(resource)
                self._forget(key)
                return None  # deleted, perhaps made anew: the watch brings what is there now
            raise
        self._told[key] = asyncio.get_running_loop().time()
        self._view.put_training(stored)
        if decided.finished:
            self._metrics.finished.labels(key[0], *decided.finished.values()).inc()
        if decided.event is None:
            return 0.0 if _edited(resource, stored) else again
        of_job(_LOG, key).info("%s: %s", decided.event.reason, decided.event.message)
        self._announcements.publish(resource, decided.event)
        return 0.0  # a new phase may ask for more


def _edited(before: Object, after: Object) -> bool:
    """Whether more than the status has changed, of which the watch will then say nothing new."""
    fields = ("generation", "deletionTimestamp", "labels", "annotations")
    old, new = before["metadata"], after["metadata"]
    return any(old.get(field) != new.get(field) for field in fields)


def refusal(error: ApiError) -> str:
    """Why the same write would be refused again; empty where it would not."""
    if str(error).startswith(APPLY_TYPED_FAULT):
        # Of all that a job can say, only its patches are not checked by its own schema.
        fault = str(error).partition("): ")[2].lstrip(".")
        field = fault.replace("spec.template.", "spec.podTemplate.", 1)
        return field.replace("field not declared in schema", "unknown field")
    return rights.told(str(error)) if error.code in _REFUSALS else ""
