"""`kubefit logs NAME`: the output of all workers, each line with its worker."""

from typing import Annotated

import typer

from kubefit.api.contract import job_dir
from kubefit.api.log_lines import as_text
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.cli import screen
from kubefit.cli.cluster import Context, JobName, Kubeconfig, Namespace, connect
from kubefit.cli.errors import CommandError, Exit
from kubefit.cli.progress import of_job
from kubefit.client.following import follow_logs, written_logs
from kubefit.client.kubernetes import Cluster
from kubefit.client.reader import read_volume
from kubefit.client.refusals import NoOutputError


def logs(
    name: JobName,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Wait for the start, go on to the end.")
    ] = False,
    rank: Annotated[int | None, typer.Option(min=0, help="Only this worker.")] = None,
    from_volume: Annotated[
        bool, typer.Option("--from-volume", help="Of the job's volume, by a pod that reads it.")
    ] = False,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="With --from-volume: not the last attempt.")
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="With --from-volume: another image with Python.")
    ] = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print the output of a job's workers."""
    cluster = connect(namespace, context, kubeconfig)
    job = cluster.job(name)
    if not from_volume and (attempt or image):
        raise CommandError("--attempt and --image are of use with --from-volume only")
    if from_volume:
        if follow:
            raise CommandError("--from-volume: what is on the volume cannot be followed")
        found = read_volume(cluster, job, attempt=attempt, rank=rank, image=image)
        for worker, line in found:
            screen.worker_line(worker, line)
        return
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
        screen.worker_line(worker, as_text(line))


def _print(cluster: Cluster, job: TrainingJob, *, rank: int | None) -> None:
    try:
        for worker, line in written_logs(cluster, job, rank=rank):
            screen.worker_line(worker, as_text(line))
    except NoOutputError as error:
        folder = job_dir("", job.metadata.namespace, job.metadata.name)
        raise CommandError(
            f"{error}: {of_job(job).phase}",
            code=Exit.CLUSTER,
            hint=f"-f waits for them; the job's volume keeps all output in {folder}/logs, which"
            " --from-volume reads",
        ) from error
