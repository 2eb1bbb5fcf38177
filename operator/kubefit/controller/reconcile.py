"""One pass over one job: gather, decide, act."""

import dataclasses
import datetime
import logging
import math
import secrets
from http import HTTPStatus

from kubefit.api.names import APPLY_TYPED_FAULT, TOKEN_KEY
from kubefit.controller.api import Api, ApiError, UnreachableError
from kubefit.controller.chief import Chiefs
from kubefit.controller.metrics import Metrics
from kubefit.controller.view import View
from kubefit.controller.worklist import Key
from kubefit.core.observed import Defaults, Object, Observed
from kubefit.core.ownership import stranger
from kubefit.core.plan import Event, Plan, plan

_LOG = logging.getLogger("kubefit")
_REFUSALS = frozenset({400, 403, 404, 409, 422})
"""Answers to a write that the same write would get again."""
_REFUSED_AGAIN_SECONDS = 15.0
_FAILED_AGAIN_SECONDS = 5.0


class Reconciler:
    """Carries out passes; holds nothing of a job from one pass to the next."""

    def __init__(
        self, *, api: Api, chiefs: Chiefs, view: View, metrics: Metrics, defaults: Defaults
    ) -> None:
        self._api = api
        self._chiefs = chiefs
        self._view = view
        self._metrics = metrics
        self._defaults = defaults

    async def work(self, key: Key) -> float | None:
        """One pass, counted; returns when to look again, or None when the job is gone."""
        with self._metrics.seconds.time():
            try:
                again = await self._pass(key)
            except ApiError as error:
                _LOG.warning("%s/%s: the API server said %s: %s", *key, error.code, error)
                self._failed(str(error.code))
                return _FAILED_AGAIN_SECONDS
            except UnreachableError as error:
                _LOG.warning("%s/%s: no answer from the API server: %s", *key, error)
                self._failed("Unreachable")
                return _FAILED_AGAIN_SECONDS
            except Exception as error:  # a fault of ours must not end the work on other jobs
                _LOG.exception("%s/%s: a pass failed", *key)
                self._failed(type(error).__name__)
                return _FAILED_AGAIN_SECONDS
        self._metrics.passes.labels("success").inc()
        return again

    def _failed(self, reason: str) -> None:
        self._metrics.passes.labels("error").inc()
        self._metrics.errors.labels(reason).inc()

    async def _pass(self, key: Key) -> float | None:
        observed = await self._gather(key)
        if observed is None:
            self._metrics.phases.pop(key, None)
            return None
        decided = plan(observed)
        try:
            await self._write(observed, decided)
        except ApiError as error:
            words = _refusal(error)
            if not words:
                raise
            _LOG.warning("%s/%s: the API server refused: %s", *key, words)
            decided = plan(dataclasses.replace(observed, refusal=words))
            decided = dataclasses.replace(decided, requeue_after=_REFUSED_AGAIN_SECONDS)
        if not await self._tell(key, observed.resource, decided):
            self._metrics.phases.pop(key, None)
            return None
        return math.inf if decided.requeue_after is None else decided.requeue_after

    async def _gather(self, key: Key) -> Observed | None:
        resource = self._view.resource(key)
        if resource is None:
            return None
        job = self._view.job(key, resource["metadata"]["uid"])
        owner = job["metadata"]["uid"] if job else ""
        pods = self._view.pods_of(key, owner)
        if job is None and not await self._exists(resource):
            return None
        return Observed(
            now=datetime.datetime.now(datetime.UTC).replace(microsecond=0),
            resource=resource,
            defaults=self._defaults,
            job=job,
            pods=pods,
            leftovers=await self._leftovers(key, owner) if job is None else (),
            claims=self._view.claims_of(resource),
            chief=await self._chiefs.ask(pods),
        )

    async def _exists(self, resource: Object) -> bool:
        """Whether the TrainingJob is still there: a watch that broke may have missed its end."""
        stored = await self._api.get(resource)
        return stored is not None and stored["metadata"]["uid"] == resource["metadata"]["uid"]

    async def _leftovers(self, key: Key, owner: str) -> tuple[str, ...]:
        """Those that the view knows and that are still there."""
        found = []
        for name in self._view.leftovers(key, owner):
            metadata = {"namespace": key[0], "name": name}
            if await self._api.get({"apiVersion": "v1", "kind": "Pod", "metadata": metadata}):
                found.append(name)
        return tuple(found)

    async def _write(self, observed: Observed, decided: Plan) -> None:
        for body in decided.apply:
            stored = await self._api.get(body)
            words = stranger(stored, body, observed.resource) if stored else ""
            if words:
                raise ApiError(HTTPStatus.CONFLICT, words)
        if decided.secret is not None:
            await self._create_token(decided.secret)
        for body in decided.apply:
            await self._api.apply(body)
        for body in decided.remove:
            await self._api.remove(body)
        if decided.change is not None:
            await self._api.change(decided.change)
        if decided.delete:
            await self._api.delete(observed.resource)

    async def _create_token(self, body: Object) -> None:
        """One that exists stays: agents may have read it."""
        try:
            await self._api.create({**body, "stringData": {TOKEN_KEY: secrets.token_hex()}})
        except ApiError as error:
            if error.code != HTTPStatus.CONFLICT:
                raise

    async def _tell(self, key: Key, resource: Object, decided: Plan) -> bool:
        """Writes the status; whether the TrainingJob is still that one."""
        if decided.phase is not None:
            self._metrics.phases[key] = decided.phase
        if decided.status is None:
            return True
        try:
            await self._api.write_status(resource, decided.status)
        except ApiError as error:
            if error.code in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                return False  # deleted, perhaps made anew: the watch brings what is there now
            raise
        if decided.finished:
            self._metrics.finished.labels(key[0], *decided.finished.values()).inc()
        if decided.event is not None:
            _LOG.info("%s/%s: %s: %s", *key, decided.event.reason, decided.event.message)
            await self._api.create(_event(resource, decided.event))
        return True


def _refusal(error: ApiError) -> str:
    """Why the same write would be refused again; empty where it would not."""
    if str(error).startswith(APPLY_TYPED_FAULT):
        # Of all that a job can say, only its patches are not checked by its own schema.
        fault = str(error).partition("): ")[2].lstrip(".")
        field = fault.replace("spec.template.", "spec.podTemplate.", 1)
        return field.replace("field not declared in schema", "unknown field")
    return str(error) if error.code in _REFUSALS else ""


def _event(resource: Object, event: Event) -> Object:
    meta = resource["metadata"]
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{meta['name']}.", "namespace": meta["namespace"]},
        "involvedObject": {
            "apiVersion": resource["apiVersion"],
            "kind": resource["kind"],
            **{name: meta[name] for name in ("name", "namespace", "uid", "resourceVersion")},
        },
        "reason": event.reason,
        "message": event.message[:1024],
        "type": "Warning" if event.warning else "Normal",
        "source": {"component": "kubefit"},
        "reportingComponent": "kubefit",
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
