"""Follows the logs of all workers of a job over restarts, from before they start to their end.

Each container has a stream of its own thread; one that breaks off goes on where it was.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from kubefit.api.names import Phase
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.kubernetes import Cluster
from kubefit.client.pods import WorkerPod
from kubefit.client.refusals import (
    ClusterError,
    JobNotFoundError,
    NoOutputError,
    UnreachableError,
)

FINISHED = (Phase.SUCCEEDED, Phase.FAILED)
_POLL_SECONDS = 1.0
_PATIENCE_SECONDS = 120.0
"""How long the API server may be away before following ends."""


@dataclass(slots=True)
class _Stream:
    """The log of one container, as far as it was read."""

    rank: int
    last: str = ""
    thread: threading.Thread | None = None
    complete: bool = False


@dataclass(slots=True)
class _Streams:
    """Streams by container."""

    lines: queue.SimpleQueue[tuple[int, str]] = field(default_factory=queue.SimpleQueue)
    known: dict[tuple[str, int], _Stream] = field(default_factory=dict)

    def follow(self, cluster: Cluster, pod: WorkerPod) -> None:
        """Starts or resumes the stream of the pod's container, unless it is read to its end."""
        stream = self.known.setdefault((pod.uid, pod.restarts), _Stream(pod.rank))
        if stream.complete or (stream.thread is not None and stream.thread.is_alive()):
            return
        stream.thread = threading.Thread(
            target=self._read, args=(cluster, pod, stream), daemon=True
        )
        stream.thread.start()

    def _read(self, cluster: Cluster, pod: WorkerPod, stream: _Stream) -> None:
        try:
            for stamp, text in cluster.log(pod, follow=True, since=stream.last):
                stream.last = stamp
                self.lines.put((stream.rank, text))
        except ClusterError:
            # The next look at the pods tells whether there is anything left to resume.
            return
        stream.complete = pod.ended

    def open(self, pods: list[WorkerPod]) -> bool:
        """Whether there is more to come from these pods."""
        keys = {(pod.uid, pod.restarts) for pod in pods if pod.started}
        return any(
            (not stream.complete and key in keys) or (stream.thread and stream.thread.is_alive())
            for key, stream in self.known.items()
        )

    def drain(self, *, seconds: float) -> Iterator[tuple[int, str]]:
        """What comes within so many seconds."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                yield self.lines.get(timeout=max(0.001, deadline - time.monotonic()))
            except queue.Empty:
                return


def written_logs(
    cluster: Cluster, job: TrainingJob, *, rank: int | None
) -> Iterator[tuple[int, str]]:
    """Lines that the pods of a job have written so far, with their ranks, one pod after the other.

    Raises:
        NoOutputError: no pod of that rank has a log.
        ClusterError: a log cannot be read.

    """
    pods = [pod for pod in cluster.pods(job.metadata.name) if rank in (None, pod.rank)]
    readable = [pod for pod in pods if pod.started or pod.restarts]
    if not readable:
        raise NoOutputError(f"{job.metadata.name} has no pods with output")
    for pod in readable:
        for _, line in cluster.log(pod, follow=False):
            yield pod.rank, line


def follow_logs(
    cluster: Cluster,
    name: str,
    *,
    rank: int | None,
    waiting: Callable[[TrainingJob], None],
) -> Iterator[tuple[int, str]]:
    """Lines with their ranks until the job has ended; `waiting` hears of a job without pods.

    Raises:
        JobNotFoundError: there is no such job; one that goes away ends the logs.
        ClusterError: the API server stays away.

    """
    streams = _Streams()
    for job in poll_job(cluster, name):
        try:
            found = cluster.pods(name)
        except UnreachableError:
            continue
        pods = [pod for pod in found if rank is None or pod.rank == rank]
        started = [pod for pod in pods if pod.started]
        for pod in started:
            streams.follow(cluster, pod)
        if not streams.known:
            waiting(job)
        yield from streams.drain(seconds=_POLL_SECONDS)
        if job.status.phase in FINISHED and not streams.open(pods):
            return


class HasJobs(Protocol):
    """Whatever can tell how a job is."""

    def job(self, name: str) -> TrainingJob:
        """The job of that name."""


def poll_job(jobs: HasJobs, name: str, *, seconds: float = 0.0) -> Iterator[TrainingJob]:
    """The job, every so many seconds, until it is gone; short absences of the server are borne.

    Raises:
        JobNotFoundError: it is not there at the first look.
        ClusterError: the API server stays away.

    """
    seen_at: float | None = None
    while True:
        try:
            job = jobs.job(name)
        except JobNotFoundError:
            if seen_at is None:
                raise
            return
        except UnreachableError:
            if seen_at is None or time.monotonic() > seen_at + _PATIENCE_SECONDS:
                raise
            time.sleep(_POLL_SECONDS)
            continue
        seen_at = time.monotonic()
        yield job
        time.sleep(seconds)
