"""`python -m kubefit.controller`: the operator."""

import asyncio
import logging
import os
import sys
from typing import Any

import kopf
from kopf._core.engines.peering import Identity
from kubernetes.aio.config import ConfigException

from kubefit.api.names import API_VERSION, LABEL_JOB, PLURAL
from kubefit.controller.api import Api, ApiError, UnreachableError
from kubefit.controller.chief import Chiefs
from kubefit.controller.handlers import register
from kubefit.controller.metrics import Metrics
from kubefit.controller.reconcile import Reconciler
from kubefit.controller.settings import Settings, read_settings
from kubefit.controller.view import View
from kubefit.controller.web import serve
from kubefit.controller.worklist import Worklist

_SERVER_TIMEOUT = 120
"""Seconds after which a watch is renewed, so that one that went silent does not last."""


def main() -> None:
    """Runs the operator until it is told to stop."""
    try:
        settings = read_settings(os.environ)
    except ValueError as error:
        sys.exit(f"kubefit: {error}")
    _configure_logging(settings.log_level)
    trouble = asyncio.run(_trouble())
    if trouble:
        sys.exit(f"kubefit: {trouble}")
    kopf.run(
        registry=_registry(settings),
        settings=_kopf_settings(),
        standalone=True,
        identity=Identity("kubefit"),
        clusterwide=not settings.namespaces,
        namespaces=settings.namespaces,
    )


async def _trouble() -> str:
    """Why there is nothing to do here; empty when all is well."""
    metrics = Metrics()
    try:
        api = await Api.connect(metrics.count_request)
    except ConfigException as error:
        return f"no Kubernetes API server is configured: {error}"
    try:
        if not await api.serves(API_VERSION, PLURAL):
            return f"the cluster does not know {PLURAL}.{API_VERSION}: install KubeFit's CRD"
    except ApiError as error:
        return f"the API server refuses the operator ({error.code}): {error}"
    except UnreachableError as error:
        return f"the API server does not answer: {error}"
    finally:
        await api.close()
    return ""


def _registry(settings: Settings) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()
    metrics, view = Metrics(), View()
    parts: dict[str, Any] = {}

    async def work(key: tuple[str, str]) -> float | None:
        reconciler: Reconciler = parts["reconciler"]
        return await reconciler.work(key)

    worklist = Worklist(work)

    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.startup(registry=registry)
    async def start(**_: Any) -> None:
        parts["api"] = await Api.connect(metrics.count_request)
        parts["chiefs"] = Chiefs()
        parts["web"] = await serve(metrics.registry, settings.port)
        parts["reconciler"] = Reconciler(
            api=parts["api"],
            chiefs=parts["chiefs"],
            view=view,
            metrics=metrics,
            defaults=settings.defaults,
        )

    @kopf.on.cleanup(registry=registry)
    async def stop(**_: Any) -> None:
        await worklist.close()
        await parts["web"].cleanup()
        await parts["chiefs"].close()
        await parts["api"].close()

    register(registry, view=view, metrics=metrics, worklist=worklist)
    return registry


def _kopf_settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.server_timeout = _SERVER_TIMEOUT
    for group, version, plural in (("", "v1", "pods"), ("batch", "v1", "jobs")):
        settings.watching.label_selectors[group, version, plural] = LABEL_JOB
    settings.watching.client_timeout = _SERVER_TIMEOUT + 30
    return settings


def _configure_logging(level: str) -> None:
    kopf.configure(log_format=kopf.LogFormat.JSON, quiet=True)
    logging.getLogger("kubefit").setLevel(level.upper())


if __name__ == "__main__":
    main()
