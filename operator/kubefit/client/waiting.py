"""Waits for the end of a job, wherever it runs."""

import math
import time

from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.following import FINISHED, HasJobs, poll_job
from kubefit.client.refusals import JobNotFoundError

_POLL_SECONDS = 0.5


def ended(jobs: HasJobs, name: str, *, timeout: float | None = None) -> TrainingJob | None:
    """The job at its end; None when so many seconds were not enough.

    Raises:
        JobNotFoundError: it is not there, or was deleted meanwhile.
        ClusterError: the API server stays away.

    """
    deadline = time.monotonic() + (math.inf if timeout is None else timeout)
    for job in poll_job(jobs, name, seconds=_POLL_SECONDS):
        if job.status.phase in FINISHED:
            return job
        if time.monotonic() >= deadline:
            return None
    raise JobNotFoundError(f"{name} was deleted while it was waited for")
