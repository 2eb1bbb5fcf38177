"""TrainingJobs on a cluster: apply, read, list, delete, pods and their logs.

One request a method; waiting, following and printing are others' business. The Kubernetes client
is imported when a `Cluster` is made, not before.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
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
from kubefit.client.refusals import ClusterError, UnreachableError, refusal

_MANAGER = "kubefit-cli"
_INDEX = "batch.kubernetes.io/job-completion-index"
_CONNECT_SECONDS, _READ_SECONDS = 10.0, 30.0
_APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPod:
    """A pod of a worker, as far as its logs need it."""

    name: str
    uid: str
    rank: int
    restarts: int
    """Restarts of the container within this pod."""
    started: bool
    """Its container runs or has ended, so that it has a log."""
    ended: bool
    created: str


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
        except (config.ConfigException, OSError) as error:
            raise ClusterError(f"the kubeconfig cannot be used: {error}") from error
        self._api = client.ApiClient(settings)
        self.server: str = settings.host
        chosen = next((c for c in contexts if c["name"] == context), current)
        self.namespace: str = namespace or chosen["context"].get("namespace") or "default"

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

    def documents(self, *, all_namespaces: bool = False) -> list[dict[str, Any]]:
        """All TrainingJobs of the namespace, or of all."""
        path = f"/apis/{GROUP}/{VERSION}/{PLURAL}" if all_namespaces else self._path()
        found: list[dict[str, Any]] = self._json("GET", path)["items"]
        return found

    def delete(self, name: str) -> None:
        """Deletes the TrainingJob; what it owns goes with it."""
        self._json("DELETE", self._path(name), query={"propagationPolicy": "Background"})

    def pods(self, name: str) -> list[WorkerPod]:
        """The pods of a job's workers, by rank, the oldest of each rank first."""
        selector = f"{LABEL_JOB}={name},{LABEL_ROLE}={ROLE_WORKER}"
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        items = self._json("GET", path, query={"labelSelector": selector})["items"]
        return sorted((_pod(item) for item in items), key=lambda pod: (pod.rank, pod.created))

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
        body: bytes | None = None,
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


def _pod(item: dict[str, Any]) -> WorkerPod:
    metadata, status = item["metadata"], item.get("status", {})
    labels = {**metadata.get("annotations", {}), **metadata.get("labels", {})}
    containers = status.get("containerStatuses", [])
    own: dict[str, Any] = next((found for found in containers if found["name"] == CONTAINER), {})
    state = own.get("state", {})
    return WorkerPod(
        name=metadata["name"],
        uid=metadata["uid"],
        rank=int(labels.get(_INDEX, 0)),
        restarts=int(own.get("restartCount", 0)),
        started="running" in state or "terminated" in state,
        ended="terminated" in state,
        created=metadata["creationTimestamp"],
    )


def _comparable(stamp: str) -> str:
    """An RFC 3339 time stamp with nine digits of fraction, so that text order is time order."""
    whole, _, fraction = stamp.removesuffix("Z").partition(".")
    return f"{whole}.{fraction.ljust(9, '0')}"
