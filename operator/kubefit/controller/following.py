"""What is stored of the kinds that matter, and kopf saying that something of it has changed."""

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from http import HTTPStatus
from typing import Any

import kopf

from kubefit.api.names import GROUP, LABEL_JOB, PLURAL, VERSION
from kubefit.controller.api import PODS, Api
from kubefit.controller.backoff import delay
from kubefit.controller.connection import ApiError, UnreachableError
from kubefit.controller.metrics import Metrics
from kubefit.controller.view import View
from kubefit.controller.worklist import Key, Worklist
from kubefit.core.observed import Object

_LOG = logging.getLogger("kubefit")
_TRAININGS = (GROUP, VERSION, PLURAL)
_JOBS = ("batch", "v1", "jobs")
_CLAIMS = ("", "v1", "persistentvolumeclaims")
_LABELLED = (_JOBS, PODS)
_SERVER_TIMEOUT = 120
"""Seconds after which a watch is renewed, so that one that went silent does not last."""
_AGAIN_AT_MOST_SECONDS = 10.0

Change = Callable[[Object], Iterable[Key]]
"""Takes an object into the view or out of it; says which jobs that may matter to."""


class _Endless:
    """What kopf waits for between two attempts: a watch is never given up."""

    def __iter__(self) -> Iterator[float]:
        return (delay(n, at_most=_AGAIN_AT_MOST_SECONDS) for n in itertools.count())


class _NoEssence(kopf.DiffBaseStorage):
    """No handler is told what has changed in an object, so kopf need not find out."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> Any:
        return None

    def store(self, **_: Any) -> None:
        """Nothing is kept."""


def settings() -> kopf.OperatorSettings:
    """For a follower, which writes nothing and never gives up."""
    made = kopf.OperatorSettings()
    made.posting.enabled = False
    made.scanning.disabled = True
    made.persistence.finalizer = f"{GROUP}/never-set"  # else kopf takes those of others away
    made.persistence.diffbase_storage = _NoEssence()
    made.networking.error_backoffs = _Endless()
    made.watching.server_timeout = _SERVER_TIMEOUT
    made.watching.client_timeout = _SERVER_TIMEOUT + 30
    for kind in _LABELLED:
        made.watching.label_selectors[kind] = LABEL_JOB
    return made


async def read(api: Api, view: View, namespaces: Collection[str]) -> None:
    """Takes into the view all that is stored, however long the API server refuses that.

    Raises:
        ApiError: a right is missing, which a watch would ask for again for ever.

    """
    for kind, put, _ in _followed(view):
        for namespace in namespaces or [""]:
            await _read(api, kind, put, namespace)


async def _read(api: Api, kind: tuple[str, str, str], put: Change, namespace: str) -> None:
    label = LABEL_JOB if kind in _LABELLED else ""
    for failures in itertools.count():
        try:
            async for one in api.stored(kind, namespace=namespace, label=label):
                put(_bare(one))
            return
        except ApiError as error:
            if error.code == HTTPStatus.FORBIDDEN:
                raise
            _LOG.warning("%s cannot be listed (%s): %s", kind[2], error.code, error)
        except UnreachableError as error:
            _LOG.warning("%s cannot be listed: %s", kind[2], error)
        await asyncio.sleep(delay(failures, at_most=_AGAIN_AT_MOST_SECONDS))


def register(
    registry: kopf.OperatorRegistry, *, view: View, metrics: Metrics, worklist: Worklist
) -> None:
    """Has every job that is known looked at, and registers handlers for all that changes.

    None of them writes to the resources.
    """
    for key in view.trainings():
        worklist.look(key)
    for kind, put, drop in _followed(view):
        labels = {LABEL_JOB: kopf.PRESENT} if kind in _LABELLED else {}
        look = _look(put, drop, metrics, worklist)
        kopf.on.event(*kind, id=f"look_{kind[2]}", labels=labels, registry=registry)(look)


def _look(put: Change, drop: Change, metrics: Metrics, worklist: Worklist) -> Any:
    async def look(event: kopf.RawEvent, **_: Any) -> None:
        metrics.last_event.set(time.time())
        change = drop if event["type"] == "DELETED" else put
        for key in change(_bare(event["object"])):
            worklist.look(key)

    return look


def _followed(view: View) -> tuple[tuple[tuple[str, str, str], Change, Change], ...]:
    return (
        (_TRAININGS, view.put_training, view.drop_training),
        (_JOBS, view.put_job, view.drop_job),
        (PODS, view.put_pod, view.drop_pod),
        (_CLAIMS, view.put_claim, view.drop_claim),
    )


def _bare(body: Any) -> Object:
    """Without what tells only who wrote which field, and is most of many objects."""
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return {**body, "metadata": metadata}
