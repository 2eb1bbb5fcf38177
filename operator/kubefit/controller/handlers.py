"""What kopf is told: indices of all that matters, and that any event means "look again"."""

import time
from typing import Any

import kopf

from kubefit.api.names import GROUP, LABEL_JOB, PLURAL, VERSION
from kubefit.controller.metrics import Metrics
from kubefit.controller.view import View
from kubefit.controller.worklist import Key, Worklist

_OURS = {LABEL_JOB: kopf.PRESENT}


def _job_of(meta: Any) -> Key:
    return meta["namespace"], meta["labels"][LABEL_JOB]


def _name_of(meta: Any) -> Key:
    return meta["namespace"], meta["name"]


def register(
    registry: kopf.OperatorRegistry, *, view: View, metrics: Metrics, worklist: Worklist
) -> None:
    """Registers indices and event handlers; none of them writes to the resources."""

    @kopf.index(GROUP, VERSION, PLURAL, id="trainingjobs", registry=registry)
    def trainingjobs(body: kopf.Body, meta: kopf.Meta, **_: Any) -> dict[Key, dict[str, Any]]:
        return {_name_of(meta): dict(body)}

    @kopf.index("batch", "v1", "jobs", id="jobs", labels=_OURS, registry=registry)
    def jobs(body: kopf.Body, meta: kopf.Meta, **_: Any) -> dict[Key, dict[str, Any]]:
        return {_job_of(meta): dict(body)}

    @kopf.index("", "v1", "pods", id="pods", labels=_OURS, registry=registry)
    def pods(body: kopf.Body, meta: kopf.Meta, **_: Any) -> dict[Key, dict[str, Any]]:
        return {_job_of(meta): dict(body)}

    @kopf.index("", "v1", "persistentvolumeclaims", id="claims", registry=registry)
    def claims(body: kopf.Body, meta: kopf.Meta, **_: Any) -> dict[Key, dict[str, Any]]:
        return {_name_of(meta): dict(body)}

    def look(key: Key, indices: dict[str, Any]) -> None:
        metrics.last_event.set(time.time())
        view.trainingjobs, view.jobs = indices["trainingjobs"], indices["jobs"]
        view.pods, view.claims = indices["pods"], indices["claims"]
        worklist.look(key)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def job_changed(meta: kopf.Meta, **kwargs: Any) -> None:
        look(_name_of(meta), kwargs)

    @kopf.on.event("batch", "v1", "jobs", labels=_OURS, registry=registry)
    @kopf.on.event("", "v1", "pods", labels=_OURS, registry=registry)
    async def child_changed(meta: kopf.Meta, **kwargs: Any) -> None:
        look(_job_of(meta), kwargs)

    @kopf.on.event("", "v1", "persistentvolumeclaims", registry=registry)
    async def claim_changed(meta: kopf.Meta, **kwargs: Any) -> None:
        view.trainingjobs = kwargs["trainingjobs"]
        for key in view.users_of(_name_of(meta)):
            look(key, kwargs)
