"""The only place that talks to the Kubernetes API: thin requests, plain dictionaries."""

import http
import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import client, config

from kubefit.api.names import API_VERSION, FIELD_MANAGER, KIND, PLURAL
from kubefit.core.observed import Object

_PATHS: Final = {
    (API_VERSION, KIND): ("apis/kubefit.dev/v1alpha1", PLURAL),
    ("v1", "Service"): ("api/v1", "services"),
    ("v1", "ConfigMap"): ("api/v1", "configmaps"),
    ("v1", "Secret"): ("api/v1", "secrets"),
    ("v1", "PersistentVolumeClaim"): ("api/v1", "persistentvolumeclaims"),
    ("v1", "Event"): ("api/v1", "events"),
    ("v1", "Pod"): ("api/v1", "pods"),
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


class UnreachableError(Exception):
    """The API server gave no answer."""


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

    async def get(self, body: Object) -> Object | None:
        """The object of that kind and name as it is stored; None when there is none."""
        path, plural = _PATHS[body["apiVersion"], body["kind"]]
        try:
            found: Object = await self._request("GET", plural, _url(path, plural, body), None)
        except ApiError as error:
            if error.code == http.HTTPStatus.NOT_FOUND:
                return None
            raise
        return found

    async def remove(self, body: Object) -> None:
        """Deletes the object of that kind and name, if there is one."""
        path, plural = _PATHS[body["apiVersion"], body["kind"]]
        policy = {"propagationPolicy": "Background"}
        try:
            await self._request("DELETE", plural, _url(path, plural, body), policy)
        except ApiError as error:
            if error.code != http.HTTPStatus.NOT_FOUND:
                raise

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
        uid = {"uid": resource["metadata"]["uid"]}
        preconditions = {"preconditions": uid, "propagationPolicy": "Background"}
        path, plural = _PATHS[API_VERSION, KIND]
        await self._request("DELETE", plural, _url(path, plural, resource), preconditions)

    async def serves(self, api_version: str, plural: str) -> bool:
        """Whether the cluster knows that resource."""
        try:
            found = await self._request("GET", "apis", f"apis/{api_version}", None)
        except ApiError as error:
            if error.code == http.HTTPStatus.NOT_FOUND:
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
        self,
        verb: str,
        resource: str,
        path: str,
        body: Mapping[str, Any] | None,
        content: str = "application/json",
    ) -> Any:
        request = await self._connection.param_serialize(
            verb,
            f"/{path}",
            header_params={"Accept": "application/json", "Content-Type": content},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            response = await self._connection.call_api(*request, _request_timeout=_TIMEOUT_SECONDS)
            text = (await response.read()).decode()
        except (aiohttp.ClientError, OSError) as error:
            raise UnreachableError(str(error) or type(error).__name__) from error
        self._count(verb.lower(), resource, response.status)
        if response.status not in _OK:
            raise ApiError(response.status, _message(text))
        return json.loads(text)


def _url(path: str, plural: str, body: Object) -> str:
    meta = body["metadata"]
    return f"{path}/namespaces/{meta['namespace']}/{plural}/{meta['name']}"


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text
