"""An operator starts only in a cluster whose definition of TrainingJob has all that it needs."""

import asyncio
import logging
from typing import Any

import pytest

from kubefit.api import names
from kubefit.controller import definition
from kubefit.controller.connection import ApiError, UnreachableError
from kubefit.generate.crd import resource_schema

GVK = {"group": names.GROUP, "kind": names.KIND, "version": names.VERSION}
CURRENT = {
    "components": {
        "schemas": {"job": resource_schema() | {"x-kubernetes-group-version-kind": [GVK]}}
    }
}


class Server:
    """Gives one answer after the other, the last one again and again."""

    def __init__(self, *answers: Any, serves: bool = True) -> None:
        self.answers = list(answers)
        self.is_there = serves

    async def serves(self, api_version: str, plural: str) -> bool:
        return self.is_there

    async def published(self) -> Any:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def known(server: Server, patience: float) -> None:
    asyncio.run(definition.known(server, patience=patience, again=0.0))


def test_one_that_is_upgraded_a_moment_later_is_waited_for(caplog) -> None:
    with caplog.at_level(logging.WARNING):
        known(Server({}, UnreachableError("refused"), {}, CURRENT), patience=60)
    assert "older than this operator" in caplog.text


@pytest.mark.parametrize("code", [429, 500, 503])
def test_an_api_server_that_is_not_ready_is_waited_for_but_not_for_ever(caplog, code) -> None:
    busy = ApiError(code, "not now")
    with caplog.at_level(logging.WARNING):
        known(Server(busy, busy, CURRENT), patience=60)
    assert f"({code}): not now" in caplog.text
    with pytest.raises(ApiError, match="not now"):
        known(Server(busy), patience=0)


def test_a_refusal_ends_the_operator_at_once() -> None:
    with pytest.raises(ApiError, match="who is that"):
        known(Server(ApiError(401, "who is that"), CURRENT), patience=60)


def test_one_that_stays_too_old_ends_the_operator_with_what_it_lacks() -> None:
    with pytest.raises(LookupError, match=r"lacks spec\.workers, .*: upgrade it"):
        known(Server({}), patience=0)


def test_one_that_is_not_there_ends_the_operator_at_once() -> None:
    with pytest.raises(LookupError, match=r"trainingjobs\.kubefit\.dev/v1alpha1: install"):
        known(Server(CURRENT, serves=False), patience=60)


def test_where_the_document_is_hidden_the_operator_starts_and_says_so(caplog) -> None:
    with caplog.at_level(logging.WARNING):
        known(Server(None), patience=0)
    assert "fields are not compared" in caplog.text
