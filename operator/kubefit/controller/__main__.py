"""`python -m kubefit.controller`: the operator."""

import asyncio
import dataclasses
import itertools
import logging
import os
import signal
import socket
import sys
import uuid
from contextlib import AsyncExitStack
from typing import Any

import kopf
from kopf._core.engines.peering import Identity
from kubernetes.aio.config import ConfigException

from kubefit.controller import definition, following, logs
from kubefit.controller.api import Api
from kubefit.controller.backoff import delay
from kubefit.controller.chief import Chiefs
from kubefit.controller.connection import ApiError, Connection
from kubefit.controller.leader import Elector
from kubefit.controller.memory import Calm
from kubefit.controller.metrics import Metrics
from kubefit.controller.reconcile import Reconciler
from kubefit.controller.settings import Settings, read_settings
from kubefit.controller.view import View
from kubefit.controller.web import serve
from kubefit.controller.worklist import Worklist

_LOG = logging.getLogger("kubefit")
_LOGIN_AT_MOST_SECONDS = 10.0


def main() -> None:
    """Runs the operator until it is told to stop, or must not act any more."""
    try:
        settings = read_settings(os.environ)
    except ValueError as error:
        sys.exit(f"kubefit: {error}")
    logs.configure(settings.log_level, settings.log_format)
    Calm().start()
    try:
        asyncio.run(_operate(settings))
    except ConfigException as error:
        sys.exit(f"kubefit: no Kubernetes API server is configured: {error}")
    except ApiError as error:
        sys.exit(f"kubefit: the API server refuses the operator ({error.code}): {error}")
    except LookupError as error:
        sys.exit(f"kubefit: {error}")


async def _operate(settings: Settings) -> None:
    """Stands by until this operator is elected, then acts."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    metrics = Metrics()
    async with AsyncExitStack() as parts:
        connection = await Connection.open(metrics.count_request)
        parts.push_async_callback(connection.close)
        api = Api(connection)
        elector = Elector(
            api,
            namespace=settings.lease_namespace,
            lease=settings.lease_name,
            name=f"{socket.gethostname()}_{uuid.uuid4()}",
            lost=_end,
        )
        api.leads = elector.leads
        metrics.leader.set_function(elector.leads)
        web = await serve(metrics.registry, settings.port, lambda: elector.seen)
        parts.push_async_callback(web.cleanup)
        parts.push_async_callback(elector.resign)
        election = asyncio.create_task(_stand(api, elector))
        events = [asyncio.create_task(event.wait()) for event in (stop, elector.elected)]
        await asyncio.wait([election, *events], return_when=asyncio.FIRST_COMPLETED)
        if election.done():
            await election
        elif not stop.is_set():
            await _act(settings, api, metrics, parts)


async def _stand(api: Api, elector: Elector) -> None:
    """Takes part in the election, in a cluster that knows TrainingJobs as this operator does."""
    await definition.known(api)
    await elector.run()


async def _act(settings: Settings, api: Api, metrics: Metrics, parts: AsyncExitStack) -> None:
    """Looks after TrainingJobs until told to stop; then ends `parts` in reverse order."""
    registry, view, chiefs = kopf.OperatorRegistry(), View(), Chiefs()
    parts.push_async_callback(chiefs.close)
    reconciler = Reconciler(
        api=api, chiefs=chiefs, view=view, metrics=metrics, defaults=settings.defaults
    )
    parts.push_async_callback(reconciler.close)
    worklist = Worklist(reconciler.work)
    parts.push_async_callback(worklist.close)
    await following.read(api, view, settings.namespaces)
    following.register(registry, view=view, metrics=metrics, worklist=worklist)

    logins = itertools.count()

    @kopf.on.login(registry=registry)
    async def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        """Also after an answer of 401, as a server that starts may give: kopf takes none twice."""
        number = next(logins)
        if number:
            await asyncio.sleep(delay(number, at_most=_LOGIN_AT_MOST_SECONDS))
        found = kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)
        return found and dataclasses.replace(found, priority=number)

    @kopf.on.cleanup(registry=registry)
    async def end(**_: Any) -> None:
        await parts.aclose()

    await kopf.operator(
        registry=registry,
        settings=following.settings(),
        standalone=True,
        identity=Identity("kubefit"),
        clusterwide=not settings.namespaces,
        namespaces=settings.namespaces,
    )


def _end(reason: str) -> None:
    """Ends the process without another step: the kubelet starts it again, to stand by."""
    _LOG.error("%s: this operator ends", reason)
    os._exit(1)


if __name__ == "__main__":
    main()
