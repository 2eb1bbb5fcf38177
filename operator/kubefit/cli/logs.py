"""`kubefit logs NAME`: the output of all workers, each line with its worker."""

from typing import Annotated

import typer

from kubefit.api.contract import job_dir
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.cli import screen
from kubefit.cli.cluster import Context, JobName, Kubeconfig, Namespace, connect
from kubefit.cli.errors import CommandError, Exit
from kubefit.cli.progress import of_job
from kubefit.client.following import follow_logs
from kubefit.client.kubernetes import Cluster


def logs(
    name: JobName,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Wait for the start, go on to the end.")
    ] = False,
    rank: Annotated[int | None, typer.Option(min=0, help="Only this worker.")] = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print the output of a job's workers."""
    cluster = connect(namespace, context, kubeconfig)
    job = cluster.job(name)
    if rank is not None and rank >= job.spec.workers:
        raise CommandError(f"--rank: {name} has workers 0 to {job.spec.workers - 1}, not {rank}")
    if follow:
        _follow(cluster, name, rank=rank)
    else:
        _print(cluster, job, rank=rank)


def _follow(cluster: Cluster, name: str, *, rank: int | None) -> None:
    said = ""

    def waiting(job: TrainingJob) -> None:
        nonlocal said
        if (phase := of_job(job).phase) != said:
            said = phase
            screen.note(f"waiting for workers: {phase}")

    for worker, line in follow_logs(cluster, name, rank=rank, waiting=waiting):
        screen.worker_line(worker, line)


def _print(cluster: Cluster, job: TrainingJob, *, rank: int | None) -> None:
    pods = [pod for pod in cluster.pods(job.metadata.name) if rank in (None, pod.rank)]
    readable = [pod for pod in pods if pod.started or pod.restarts]
    for pod in readable:
        for _, line in cluster.log(pod, follow=False):
            screen.worker_line(pod.rank, line)
    if not readable:
        folder = job_dir("", job.metadata.namespace, job.metadata.name)
        raise CommandError(
            f"{job.metadata.name} has no pods with output: {of_job(job).phase}",
            code=Exit.CLUSTER,
            hint=f"-f waits for them; the job's volume keeps all output in {folder}/logs",
        )
