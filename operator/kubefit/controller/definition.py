"""The cluster's definition of TrainingJob: it has to be there, and no older than this operator."""

import asyncio
import logging
import time
from http import HTTPStatus

from kubefit.api.names import API_VERSION, PLURAL
from kubefit.controller.api import Api
from kubefit.controller.connection import ApiError, UnreachableError
from kubefit.core.definition import lacking, too_old

_LOG = logging.getLogger("kubefit")
_AGAIN_SECONDS = 2.0
PATIENCE_SECONDS = 30.0
"""A definition that was just upgraded is published a moment later."""


async def known(
    api: Api, *, patience: float = PATIENCE_SECONDS, again: float = _AGAIN_SECONDS
) -> None:
    """Returns once the definition is as this operator needs it.

    Raises:
        LookupError: it is not there, or has stayed too old; the message says what to do.
        ApiError: the API server refuses to tell, or has stayed unable to.

    """
    deadline = time.monotonic() + patience
    while True:
        try:
            fault = await _fault(api)
        except UnreachableError as error:
            _LOG.warning("no answer from the API server: %s", error)
        except ApiError as error:
            if not _passing(error.code) or time.monotonic() >= deadline:
                raise
            _LOG.warning("no answer of use from the API server (%s): %s", error.code, error)
        else:
            if not fault:
                return
            if time.monotonic() >= deadline:
                raise LookupError(fault)
            _LOG.warning("%s", fault)
        await asyncio.sleep(again)


def _passing(code: int) -> bool:
    """Whether the same question may be answered a moment later."""
    return code == HTTPStatus.TOO_MANY_REQUESTS or code >= HTTPStatus.INTERNAL_SERVER_ERROR


async def _fault(api: Api) -> str:
    if not await api.serves(API_VERSION, PLURAL):
        raise LookupError(
            f"the cluster does not know {PLURAL}.{API_VERSION}: install KubeFit's CRD"
        )
    published = await api.published()
    if published is None:
        _LOG.warning("the API server does not show its OpenAPI document: fields are not compared")
        return ""
    missing = lacking(published)
    return too_old(missing) if missing else ""
