"""TrainingJobs on a cluster: apply, read, list, delete, pods and their logs.

One request a method; waiting, following and printing are others' business. The Kubernetes client
is imported when a `Cluster` is made, not before.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import urllib3
from pydantic import ValidationError

from kubefit.api.errors import explain
from kubefit.api.names import (
    API_VERSION,
    CONTAINER,
    GROUP,
    LABEL_JOB,
    LABEL_ROLE,
    PLURAL,
    ROLE_WORKER,
    VERSION,
)
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.pods import Warned, WorkerPod, warned, worker_pod
from kubefit.client.refusals import ClusterError, NotFoundError, UnreachableError, refusal

_MANAGER = "kubefit-cli"
_CONNECT_SECONDS, _READ_SECONDS = 10.0, 30.0
_APPLY = "application/apply-patch+yaml"
_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_MERGE = "application/merge-patch+json"


class Cluster:
    """The API server of one context of a kubeconfig, seen from one namespace."""

    def __init__(
        self,
        *,
        namespace: str | None = None,
        context: str | None = None,
        kubeconfig: Path | None = None,
    ) -> None:
        """Reads the kubeconfig; `namespace` is by default that of the context.

        In a pod without a kubeconfig, such as a notebook's, the rights of its service account are
        used, and its namespace is the default.

        Raises:
            ClusterError: the kubeconfig cannot be used.

        """
        from kubernetes import client, config

        file = str(kubeconfig) if kubeconfig else None
        settings = client.Configuration()
        settings.retries = False
        try:
            config.load_kube_config(file, context, client_configuration=settings)
            contexts, current = config.list_kube_config_contexts(file)
            chosen = next((c for c in contexts if c["name"] == context), current)
            own = chosen["context"].get("namespace")
        except (config.ConfigException, OSError) as error:
            asked = file or context or os.environ.get("KUBECONFIG")
            if asked or not _POD_NAMESPACE.exists():
                raise ClusterError(f"the kubeconfig cannot be used: {error}") from error
            config.load_incluster_config(client_configuration=settings)
            own = _POD_NAMESPACE.read_text().strip()
        self._api = client.ApiClient(settings)
        self.server: str = settings.host
        self.namespace: str = namespace or own or "default"

    def apply(self, document: dict[str, Any], *, dry_run: bool = False) -> TrainingJob:
        """Creates or changes a TrainingJob by server-side apply.

        Raises:
            RefusedError: the API server refuses the job itself.
            ClusterError: anything else that goes wrong.

        """
        name = str(document["metadata"]["name"])
        query = {"fieldManager": _MANAGER, "force": "true", "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        body = json.dumps({"apiVersion": API_VERSION, **document}, default=str).encode()
        return _job(self._json("PATCH", self._path(name), query=query, body=body, kind=_APPLY))

    def job(self, name: str) -> TrainingJob:
        """The TrainingJob of that name.

        Raises:
            JobNotFoundError: there is none.
            ClusterError: the cluster cannot be asked.

        """
        return _job(self._json("GET", self._path(name)))

    def document(self, name: str) -> dict[str, Any]:
        """The TrainingJob as the API server gives it."""
        return self._json("GET", self._path(name))

    def documents(
        self, *, all_namespaces: bool = False, labels: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """All TrainingJobs of the namespace, or of all, that have these labels."""
        path = f"/apis/{GROUP}/{VERSION}/{PLURAL}" if all_namespaces else self._path()
        chosen = ",".join(f"{name}={value}" for name, value in (labels or {}).items())
        query = {"labelSelector": chosen} if chosen else {}
        found: list[dict[str, Any]] = self._json("GET", path, query=query)["items"]
        return found

    def jobs(self, labels: Mapping[str, str]) -> list[TrainingJob]:
        """The TrainingJobs of the namespace that have these labels."""
        return [_job(document) for document in self.documents(labels=labels)]

    def merge(self, name: str, change: dict[str, Any]) -> TrainingJob:
        """Changes fields of a TrainingJob and leaves all others as they are.

        Raises:
            JobNotFoundError: there is none of that name.
            ClusterError: it cannot be changed.

        """
        query = {"fieldManager": _MANAGER, "fieldValidation": "Strict"}
        return _job(self._json("PATCH", self._path(name), query=query, body=change, kind=_MERGE))

    def delete(self, name: str) -> None:
        """Deletes the TrainingJob; what it owns goes with it."""
        self._json("DELETE", self._path(name), query={"propagationPolicy": "Background"})

    def pods(self, name: str) -> list[WorkerPod]:
        """The pods of a job's workers, by rank, the oldest of each rank first."""
        selector = f"{LABEL_JOB}={name},{LABEL_ROLE}={ROLE_WORKER}"
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        items = self._json("GET", path, query={"labelSelector": selector})["items"]
        return sorted((worker_pod(item) for item in items), key=lambda pod: (pod.rank, pod.created))

    def warnings(self) -> list[Warned]:
        """Warnings about objects of the namespace, the newest last; they are kept for an hour."""
        path = f"/api/v1/namespaces/{self.namespace}/events"
        items = self._json("GET", path, query={"fieldSelector": "type=Warning"})["items"]
        return sorted((warned(item) for item in items), key=lambda one: one.time)

    def read(self, path: str, **query: str) -> dict[str, Any]:
        """Whatever lies at that path of the API server.

        Raises:
            NotFoundError: nothing does.
            ForbiddenError: it may not be looked at.
            ClusterError: the cluster cannot be asked.

        """
        return self._json("GET", path, query=query)

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Makes an object below that path; what was stored."""
        return self._json("POST", path, body=body)

    def remove(self, path: str, **query: str) -> None:
        """Deletes what lies at that path; nothing happens where nothing does."""
        with contextlib.suppress(NotFoundError):
            self._json("DELETE", path, query=query)

    def may(self, verb: str, resource: str, *, group: str = "") -> bool:
        """Whether the user may do that in the namespace; `pods/log` names a subresource."""
        name, _, subresource = resource.partition("/")
        attributes = {"namespace": self.namespace, "verb": verb, "group": group, "resource": name}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {**attributes, "subresource": subresource}},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = self._json("POST", path, body=review)
        return bool(answer.get("status", {}).get("allowed"))

    def log(self, pod: WorkerPod, *, follow: bool, since: str = "") -> Iterator[tuple[str, str]]:
        """Lines of the trainer container with their time stamps, those after `since`.

        Of a container that waits to be started again, the lines before its end.

        Raises:
            ClusterError: the log cannot be read, or breaks off.

        """
        query = {"container": CONTAINER, "timestamps": "true", "follow": str(follow).lower()}
        if since:
            query["sinceTime"] = f"{since[:19]}Z"
        if not pod.started and pod.restarts:
            query["previous"] = "true"
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod.name}/log"
        response = self._request("GET", path, query=query, read_seconds=None)
        try:
            with closing(response):
                for line in response:
                    stamp, _, text = line.decode(errors="replace").rstrip("\n").partition(" ")
                    if (moment := _comparable(stamp)) > since:
                        yield moment, text
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(f"the log of pod {pod.name} broke off: {error}") from error

    def output(self, pod: str, container: str) -> Iterator[str]:
        """Lines of any container, followed to its end.

        Raises:
            ClusterError: they cannot be read, or break off.

        """
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}/log"
        query = {"container": container, "follow": "true"}
        response = self._request("GET", path, query=query, read_seconds=None)
        try:
            with closing(response):
                for line in response:
                    yield line.decode(errors="replace").rstrip("\n")
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(f"the log of pod {pod} broke off: {error}") from error

    def _path(self, name: str = "") -> str:
        base = f"/apis/{GROUP}/{VERSION}/namespaces/{self.namespace}/{PLURAL}"
        return f"{base}/{name}" if name else base

    def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            with closing(self._request(method, path, **options)) as response:
                answer: dict[str, Any] = json.loads(response.data)
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(f"the API server's answer broke off: {error}") from error
        except ValueError as error:
            raise ClusterError(
                f"{self._api.configuration.host} answered something else than JSON",
                hint="is that the address of an API server? see kubectl config view",
            ) from error
        return answer

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: bytes | dict[str, Any] | None = None,
        kind: str = "application/json",
        read_seconds: float | None = _READ_SECONDS,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json, */*", "Content-Type": kind}
        given = self._api.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            timeout = (_CONNECT_SECONDS, read_seconds)
            answer = self._api.call_api(*given, _request_timeout=timeout)
            if answer.status >= 300:
                raise refusal(answer.status, answer.read(), path=path, namespace=self.namespace)
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(
                f"the API server {self.server} does not answer: {error}",
                hint="kubectl cluster-info tells whether the kubeconfig names a running cluster",
            ) from error
        response: urllib3.BaseHTTPResponse = answer.response
        return response


def _job(document: dict[str, Any]) -> TrainingJob:
    try:
        return TrainingJob.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise ClusterError(
            f"the cluster's TrainingJob is not of this version: {explain(error)[0]}",
            hint="install the same version of KubeFit here and on the cluster",
        ) from error


def _comparable(stamp: str) -> str:
    """An RFC 3339 time stamp with nine digits of fraction, so that text order is time order."""
    whole, _, fraction = stamp.removesuffix("Z").partition(".")
    return f"{whole}.{fraction.ljust(9, '0')}"
