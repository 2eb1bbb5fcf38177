"""Answers of an API server that refuses, in sentences for people.

Pure functions of status code and body.
"""

import json
import re
from typing import Any

from kubefit.api.names import APPLY_TYPED_FAULT, PLURAL
from kubefit.client.errors import ClientError

_VALUE = r'"(?:[^"\\]|\\.)*"|[-+.\de]+|true|false|null|\{.*?\}|\[.*?\]'
_INVALID = re.compile(
    rf"(?:Invalid|Required) value: (?:(?P<value>{_VALUE}): )?(?P<text>.*)", re.DOTALL
)
_IN_BODY = re.compile(r"\S+ in body ")
_NOT_CHECKED = "some validation rules were not checked"
"""Beside other faults: rules wait until the schema is satisfied."""
_TYPED = re.compile(rf"{APPLY_TYPED_FAULT} \(.*?\): \.?(?P<fault>.*)", re.DOTALL)
_UNKNOWN_FIELD = re.compile(r'unknown field "([^"]+)"')
_DUPLICATE_FIELD = re.compile(r'duplicate field "([^"]+)"')


class ClusterError(ClientError):
    """The cluster cannot do what was asked."""


class UnreachableError(ClusterError):
    """The API server does not answer; it may later."""


class ForbiddenError(ClusterError):
    """Whoever asks has no right to that."""


class NotFoundError(ClusterError):
    """What was asked for is not there."""


class JobNotFoundError(NotFoundError):
    """There is no job of that name."""


class NoOutputError(ClusterError):
    """None of a job's pods has written anything, or none is left."""


class RefusedError(ClusterError):
    """The API server refuses the job itself: one sentence per fault."""


def refusal(code: int, body: bytes, *, path: str, namespace: str) -> ClusterError:
    """The error for an answer with that code and body to a request of `path`."""
    status = _status(body)
    message = str(status.get("message") or body.decode(errors="replace").strip())
    typed = _TYPED.fullmatch(message)
    if typed:
        fault = typed["fault"].replace("field not declared in schema", "unknown field")
        return RefusedError(fault)
    if code in (400, 422):
        return RefusedError(*_faults(status, message))
    if code == 404:
        return _not_found(status, path=path, namespace=namespace, message=message)
    if code in (401, 403):
        return (ForbiddenError if code == 403 else ClusterError)(
            f"the API server does not allow it: {message}",
            hint="ask who runs the cluster for the role edit in this namespace",
        )
    if code in (429, 500, 502, 503, 504):
        return UnreachableError(f"the API server is not ready ({code}): {message}")
    return ClusterError(f"the API server refuses ({code}): {message}")


def _status(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _faults(status: dict[str, Any], message: str) -> list[str]:
    causes = (status.get("details") or {}).get("causes") or []
    faults = list(dict.fromkeys(_fault(cause) for cause in causes))
    if faults:
        return [fault for fault in faults if not fault.startswith(_NOT_CHECKED)] or faults
    unknown = [f"{field}: unknown field" for field in _UNKNOWN_FIELD.findall(message)]
    twice = [f"{field}: is given twice" for field in _DUPLICATE_FIELD.findall(message)]
    return [field.removeprefix(".") for field in unknown + twice] or [message]


def _fault(cause: dict[str, Any]) -> str:
    """`spec: set exactly one of recipe and script` from a cause of a Status."""
    field, text = str(cause.get("field", "")).lstrip("."), str(cause.get("message", ""))
    invalid = _INVALID.fullmatch(text)
    if invalid:
        found = _IN_BODY.match(invalid["text"])
        text = f"{invalid['value']} {invalid['text'][found.end() :]}" if found else invalid["text"]
    if not field or field == "<nil>" or text.startswith(f"{field}:"):
        return text
    return f"{field}: {text}"


def _not_found(status: dict[str, Any], *, path: str, namespace: str, message: str) -> ClusterError:
    details = status.get("details") or {}
    name = details.get("name")
    if details.get("kind") == PLURAL and name:
        return JobNotFoundError(
            f"there is no TrainingJob {name} in namespace {namespace}",
            hint="kubefit list -A shows the jobs of all namespaces",
        )
    if f"/{PLURAL}" in path and not name:
        return NotFoundError(
            "this cluster does not know TrainingJobs",
            hint="install KubeFit with its chart, see docs/quickstart.md",
        )
    return NotFoundError(message)
