"""Reports to the agent of worker 0, from any other."""

import http.client

from pydantic import ValidationError

from kubefit.api.contract import RunConfig
from kubefit_trainer.agent import proof
from kubefit_trainer.agent.messages import Directive, Report

PATH = "/rendezvous"
_TIMEOUT_SECONDS = 5.0
_LONGEST = 1 << 20
"""Bytes of an answer; one that is longer is not read to its end, and so not proven."""


class RefusedError(Exception):
    """The agent of worker 0 does not accept this one; one sentence."""


def ask(config: RunConfig, report: Report, *, token: str) -> Directive | None:
    """What this member is to do; None if no agent that knows the token is reached as worker 0's.

    Raises:
        RefusedError: it has another token.

    """
    host, port = config.host(0), config.agent_port(0)
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.connect()
        # Not where it seems to come from: somebody on the way may have sent it on from elsewhere.
        placed = report.model_copy(update={"address": connection.sock.getsockname()[0]})
        nonce, body = proof.nonce(), placed.model_dump_json(by_alias=True).encode()
        shown = proof.of_request(token, nonce, "POST", PATH, body)
        headers = {proof.NONCE: nonce, proof.PROOF: shown, "Content-Type": "application/json"}
        connection.request("POST", PATH, body=body, headers=headers)
        answer = connection.getresponse()
        if answer.status == http.client.UNAUTHORIZED:
            raise RefusedError(
                f"the agent of worker 0 ({host}:{port}) has another token than worker {report.rank}"
            )
        said, proven = answer.read(_LONGEST), proof.of_answer(token, nonce)
        proven.update(said)
        if not proof.holds(answer.headers.get(proof.PROOF, ""), proven.hexdigest()):
            return None
        return Directive.model_validate_json(said)
    except (OSError, http.client.HTTPException, ValidationError):
        return None
    finally:
        connection.close()
