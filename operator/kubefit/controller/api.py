"""The only place that talks to the Kubernetes API: thin requests, plain dictionaries."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from kubernetes.aio import client, config

from kubefit.api.names import API_VERSION, FIELD_MANAGER, KIND, PLURAL
from kubefit.core.observed import Object

_PATHS: Final = {
    (API_VERSION, KIND): ("apis/kubefit.dev/v1alpha1", PLURAL),
    ("v1", "Service"): ("api/v1", "services"),
    ("v1", "ConfigMap"): ("api/v1", "configmaps"),
    ("v1", "PersistentVolumeClaim"): ("api/v1", "persistentvolumeclaims"),
    ("v1", "Event"): ("api/v1", "events"),
    ("batch/v1", "Job"): ("apis/batch/v1", "jobs"),
    ("apps/v1", "Deployment"): ("apis/apps/v1", "deployments"),
}
_APPLY: Final = "application/apply-patch+yaml"
_MERGE: Final = "application/merge-patch+json"
_TIMEOUT_SECONDS: Final = 30
_OK: Final = range(200, 300)


class ApiError(Exception):
    """The API server's answer was no."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        """HTTP status."""


Count = Callable[[str, str, int], None]
"""Told verb, resource and HTTP status of every request."""


class Api:
    """What the operator asks of the API server."""

    def __init__(self, connection: client.ApiClient, count: Count) -> None:
        self._connection = connection
        self._count = count

    @classmethod
    async def connect(cls, count: Count) -> "Api":
        """Connects as the pod's service account, or else as the kubeconfig says."""
        try:
            config.load_incluster_config()
        except config.ConfigException:
            await config.load_kube_config()
        return cls(client.ApiClient(), count)

    async def close(self) -> None:
        """Closes the connections."""
        await self._connection.close()

    async def apply(self, body: Object) -> None:
        """Creates the object or takes over the fields given (server-side apply)."""
        await self._write("PATCH", body, _APPLY, fieldManager=FIELD_MANAGER, force="true")

    async def change(self, body: Object) -> None:
        """Changes the fields given of an object that exists; null removes one."""
        await self._write("PATCH", body, _MERGE, fieldManager=FIELD_MANAGER)

    async def write_status(self, resource: Object, status: Object) -> None:
        """Replaces the whole status of that very TrainingJob; a later one of its name is safe."""
        keys = ("name", "namespace", "uid")
        body = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {key: resource["metadata"][key] for key in keys},
            "status": status,
        }
        await self._write(
            "PATCH", body, _APPLY, subresource="status", fieldManager=FIELD_MANAGER, force="true"
        )

    async def create(self, body: Object) -> None:
        """Creates an object."""
        await self._write("POST", body, "application/json")

    async def delete(self, resource: Object) -> None:
        """Deletes that very TrainingJob; its children follow by their owner references."""
        meta = resource["metadata"]
        preconditions = {"preconditions": {"uid": meta["uid"]}, "propagationPolicy": "Background"}
        path, plural = _PATHS[API_VERSION, KIND]
        await self._request(
            "DELETE",
            plural,
            f"{path}/namespaces/{meta['namespace']}/{plural}/{meta['name']}",
            preconditions,
            "application/json",
        )

    async def serves(self, api_version: str, plural: str) -> bool:
        """Whether the cluster knows that resource."""
        try:
            found = await self._request(
                "GET", "apis", f"apis/{api_version}", None, "application/json"
            )
        except ApiError as error:
            if error.code == 404:
                return False
            raise
        return any(resource["name"] == plural for resource in found["resources"])

    async def _write(
        self, verb: str, body: Object, content_type: str, *, subresource: str = "", **query: str
    ) -> None:
        path, plural = _PATHS[body["apiVersion"], body["kind"]]
        meta = body["metadata"]
        url = f"{path}/namespaces/{meta['namespace']}/{plural}"
        if verb == "PATCH":
            url += f"/{meta['name']}"
        if subresource:
            url += f"/{subresource}"
        if query:
            url += f"?{urlencode(query)}"
        await self._request(verb, plural, url, body, content_type)

    async def _request(
        self, verb: str, resource: str, path: str, body: Mapping[str, Any] | None, content: str
    ) -> Any:
        request = await self._connection.param_serialize(
            verb,
            f"/{path}",
            header_params={"Accept": "application/json", "Content-Type": content},
            body=body,
            auth_settings=["BearerToken"],
        )
        response = await self._connection.call_api(*request, _request_timeout=_TIMEOUT_SECONDS)
        text = (await response.read()).decode()
        self._count(verb.lower(), resource, response.status)
        if response.status not in _OK:
            raise ApiError(response.status, _message(text))
        return json.loads(text)


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text
