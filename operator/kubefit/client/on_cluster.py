"""Jobs on a cluster, for programs: the same requests that the commands make."""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from kubefit.api.contract import job_dir
from kubefit.api.log_lines import as_text
from kubefit.api.names import VOLUME_DIR
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.errors import ClientError
from kubefit.client.following import follow_logs, written_logs
from kubefit.client.kubernetes import Cluster
from kubefit.client.refusals import NoOutputError
from kubefit.client.submitting import apply


class OnCluster:
    """A namespace of a cluster; a `Backend`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def submit(self, document: dict[str, Any], job: TrainingJob) -> str:
        """Applies the job on the server's side."""
        own = document["metadata"].get("namespace")
        if own and own != self._cluster.namespace:
            raise ClientError(
                f"metadata.namespace: {own} is not the namespace {self._cluster.namespace} of this"
                " client; make another client for it"
            )
        return apply(self._cluster, document).metadata.name

    def job(self, name: str) -> TrainingJob:
        """The job as the API server has it."""
        return self._cluster.job(name)

    def jobs(self, labels: Mapping[str, str]) -> list[TrainingJob]:
        """Those of the namespace."""
        return self._cluster.jobs(labels)

    def resumable(self, job: TrainingJob) -> bool:
        """Never: what can be resumed, the operator does resume."""
        return False

    def logs(self, name: str, *, rank: int | None, follow: bool) -> Iterator[tuple[int, str]]:
        """From the pods; following waits for them, and nothing is there before they have begun."""
        job = self._cluster.job(name)
        if follow:
            found = follow_logs(self._cluster, name, rank=rank, waiting=lambda _: None)
        else:
            found = written_logs(self._cluster, job, rank=rank)
        try:
            for worker, line in found:
                yield worker, as_text(line)
        except NoOutputError:
            return

    def note(self, name: str, annotations: Mapping[str, str], *, suspend: bool = False) -> None:
        """Merges annotations into the job; a suspended one keeps its place in the cluster."""
        change: dict[str, Any] = {"metadata": {"annotations": dict(annotations)}}
        if suspend:
            change["spec"] = {"runPolicy": {"suspend": True}}
        self._cluster.merge(name, change)

    def delete(self, name: str) -> None:
        """Deletes the job; pods go with it."""
        self._cluster.delete(name)

    def volume_path(self, path: str) -> PurePosixPath:
        """Below where the volume is mounted."""
        return PurePosixPath(VOLUME_DIR) / path

    def results(self, name: str) -> tuple[PurePosixPath, Path | None]:
        """On the volume, which this machine cannot see."""
        return PurePosixPath(job_dir(VOLUME_DIR, self._cluster.namespace, name)), None

    def close(self) -> None:
        """Jobs go on."""
