"""Reports to the agent of worker 0, from any other."""

import http.client

from pydantic import ValidationError

from kubefit.api.contract import RunConfig
from kubefit_trainer.agent.messages import Directive, Report

PATH = "/rendezvous"
_TIMEOUT_SECONDS = 5.0


class RefusedError(Exception):
    """The agent of worker 0 does not accept this one; one sentence."""


def ask(config: RunConfig, report: Report, *, token: str) -> Directive | None:
    """What this member is to do; None if the agent of worker 0 cannot be reached.

    Raises:
        RefusedError: it has another token.

    """
    host, port = config.host(0), config.agent_port(0)
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
    try:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request(
            "POST", PATH, body=report.model_dump_json(by_alias=True), headers=headers
        )
        answer = connection.getresponse()
        if answer.status == http.client.UNAUTHORIZED:
            raise RefusedError(
                f"the agent of worker 0 ({host}:{port}) has another token than worker {report.rank}"
            )
        return Directive.model_validate_json(answer.read())
    except (OSError, http.client.HTTPException, ValidationError):
        return None
    finally:
        connection.close()
