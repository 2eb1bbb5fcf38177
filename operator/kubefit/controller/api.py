"""The only place that talks to the Kubernetes API: thin requests, plain dictionaries."""

import http
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from kubefit.api.names import API_VERSION, FIELD_MANAGER, KIND, PLURAL
from kubefit.controller.connection import ApiError, Connection
from kubefit.core.gangs import API_VERSIONS
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
    ("networking.k8s.io/v1", "NetworkPolicy"): ("apis/networking.k8s.io/v1", "networkpolicies"),
    **{(group, "PodGroup"): (f"apis/{group}", "podgroups") for group in API_VERSIONS.values()},
    ("coordination.k8s.io/v1", "Lease"): ("apis/coordination.k8s.io/v1", "leases"),
}
PODS: Final = ("", "v1", "pods")
"""Group, version and plural, as `Api.stored` and kopf take them."""
_APPLY: Final = "application/apply-patch+yaml"
_MERGE: Final = "application/merge-patch+json"
_TIMEOUT_SECONDS: Final = 30
_PAGE: Final = 500
_NOT_SERVED: Final = ("404 page not found", "the server could not find the requested resource")
"""The answers where an API is not known, and where a resource of it is not switched on."""


class NotLeadingError(Exception):
    """Nothing was written, because another operator may lead."""


class Api:
    """What the operator asks of the API server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.leads: Callable[[], bool] = lambda: False
        """Asked before every write but that of the Lease."""

    async def apply(self, body: Object) -> Object:
        """Creates the object or takes over the fields given; returns it as it is stored."""
        try:
            stored: Object = await self._write("PATCH", body, _APPLY, force="true")
        except ApiError as error:
            if str(error).strip() not in _NOT_SERVED:
                raise
            words = f"the cluster has no {body['kind']} of {body['apiVersion']}"
            raise ApiError(error.code, words) from None
        return stored

    async def get(self, body: Object, timeout: float = _TIMEOUT_SECONDS) -> Object | None:
        """The object of that kind and name as it is stored; None when there is none."""
        path, plural = _PATHS[body["apiVersion"], body["kind"]]
        url = _url(path, plural, body)
        try:
            found: Object = await self._request("GET", plural, url, None, timeout=timeout)
        except ApiError as error:
            if error.code == http.HTTPStatus.NOT_FOUND:
                return None
            raise
        return found

    async def events(self, about: Object, *, reason: str = "") -> tuple[Object, ...]:
        """Events about that very object, of that reason or any."""
        meta = about["metadata"]
        selector = f"involvedObject.uid={meta['uid']}" + (f",reason={reason}" if reason else "")
        query = urlencode({"fieldSelector": selector, "limit": 50})
        url = f"api/v1/namespaces/{meta['namespace']}/events?{query}"
        found = await self._request("GET", "events", url, None)
        return tuple(found["items"])

    async def remove(self, body: Object) -> None:
        """Deletes the object of that kind and name, if there is one; with a uid, only that one."""
        path, plural = _PATHS[body["apiVersion"], body["kind"]]
        options: dict[str, Any] = {"propagationPolicy": "Background"}
        if "uid" in body["metadata"]:
            options["preconditions"] = {"uid": body["metadata"]["uid"]}
        try:
            await self._request("DELETE", plural, _url(path, plural, body), options)
        except ApiError as error:
            other_uid = error.code == http.HTTPStatus.CONFLICT and "preconditions" in options
            if error.code != http.HTTPStatus.NOT_FOUND and not other_uid:
                raise

    async def change(self, body: Object) -> None:
        """Changes the fields given of an object that exists; null removes one."""
        await self._write("PATCH", body, _MERGE)

    async def write_status(self, resource: Object, status: Object) -> Object:
        """Replaces the whole status of that very TrainingJob; a later one of its name is safe.

        Returns the TrainingJob as it is stored.
        """
        keys = ("name", "namespace", "uid")
        body = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {key: resource["metadata"][key] for key in keys},
            "status": status,
        }
        stored: Object = await self._write(
            "PATCH", body, _APPLY, subresource="status", force="true"
        )
        return stored

    async def create(self, body: Object) -> None:
        """Creates an object."""
        await self._write("POST", body, "application/json")

    async def write_lease(self, body: Object, timeout: float) -> Object:
        """Creates the Lease, or changes that version of it; returns it as it is stored."""
        versioned = "resourceVersion" in body["metadata"]
        verb, content = ("PATCH", _MERGE) if versioned else ("POST", "application/json")
        stored: Object = await self._write(verb, body, content, timeout=timeout)
        return stored

    async def delete(self, resource: Object) -> None:
        """Deletes that very TrainingJob, if it is there; its children follow by their owner."""
        keys = ("name", "namespace", "uid")
        metadata = {key: resource["metadata"][key] for key in keys}
        await self.remove({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata})

    async def serves(self, api_version: str, plural: str) -> bool:
        """Whether the cluster knows that resource."""
        try:
            found = await self._request("GET", "apis", f"apis/{api_version}", None)
        except ApiError as error:
            if error.code == http.HTTPStatus.NOT_FOUND:
                return False
            raise
        return any(resource["name"] == plural for resource in found["resources"])

    async def published(self) -> Object | None:
        """The OpenAPI document of KubeFit's group, empty at first; None for whom it is hidden."""
        path = f"openapi/v3/apis/{API_VERSION}"
        try:
            found: Object = await self._request("GET", "openapi", path, None)
        except ApiError as error:
            if error.code == http.HTTPStatus.NOT_FOUND:
                return {}
            if error.code == http.HTTPStatus.FORBIDDEN:
                return None
            raise
        return found

    async def stored(
        self, kind: tuple[str, str, str], *, namespace: str, label: str
    ) -> AsyncIterator[Object]:
        """All objects of that group, version and plural: in one namespace or in all, labelled."""
        group, version, plural = kind
        api_version = f"{group}/{version}" if group else version
        place = f"namespaces/{namespace}/" if namespace else ""
        query = {"limit": str(_PAGE)} | ({"labelSelector": label} if label else {})
        more = ""
        while True:
            url = f"{'apis' if group else 'api'}/{api_version}/{place}{plural}"
            url += f"?{urlencode(query | ({'continue': more} if more else {}))}"
            found = await self._request("GET", plural, url, None)
            typed = {"apiVersion": api_version, "kind": found["kind"].removesuffix("List")}
            for one in found["items"]:
                yield {**typed, **one}
            more = found["metadata"].get("continue", "")
            if not more:
                return

    async def _write(
        self,
        verb: str,
        body: Object,
        content_type: str,
        *,
        subresource: str = "",
        timeout: float = _TIMEOUT_SECONDS,
        **query: str,
    ) -> Any:
        path, plural = _PATHS[body["apiVersion"], body["kind"]]
        meta = body["metadata"]
        url = f"{path}/namespaces/{meta['namespace']}/{plural}"
        if verb == "PATCH":
            url += f"/{meta['name']}"
        if subresource:
            url += f"/{subresource}"
        url += f"?{urlencode({'fieldManager': FIELD_MANAGER, **query})}"
        return await self._request(verb, plural, url, body, content_type, timeout)

    async def _request(
        self,
        verb: str,
        resource: str,
        path: str,
        body: Mapping[str, Any] | None,
        content: str = "application/json",
        timeout: float = _TIMEOUT_SECONDS,
    ) -> Any:
        if verb != "GET" and resource != "leases" and not self.leads():
            raise NotLeadingError(f"{verb} {path}")
        return await self._connection.request(
            verb, resource, path, timeout=timeout, body=body, content=content
        )


def _url(path: str, plural: str, body: Object) -> str:
    meta = body["metadata"]
    return f"{path}/namespaces/{meta['namespace']}/{plural}/{meta['name']}"
