"""`kubefit watch NAME`: shows a job on a cluster until it ends."""

import typer

from kubefit.api.names import Phase
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.cli import screen
from kubefit.cli.cluster import Context, JobName, Kubeconfig, Namespace, connect
from kubefit.cli.epochs import Epochs
from kubefit.cli.errors import CommandError, Exit
from kubefit.cli.progress import of_job
from kubefit.client.following import FINISHED, poll_job
from kubefit.client.kubernetes import Cluster

_POLL_SECONDS = 1.0


def watch(
    name: JobName,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show the progress of a job until it ends."""
    watch_job(connect(namespace, context, kubeconfig), name)


def watch_job(cluster: Cluster, name: str) -> None:
    """Shows the job until it ends.

    Raises:
        typer.Exit: it failed.
        CommandError: it was deleted, or watching was interrupted.

    """
    try:
        job = _show(cluster, name)
    except KeyboardInterrupt as error:
        raise CommandError(
            f"stopped watching; {name} goes on",
            code=Exit.INTERRUPTED,
            hint=f"kubefit watch {name} looks again, kubefit delete {name} ends it",
        ) from error
    if job is None:
        raise CommandError(f"{name} was deleted while it was watched", code=Exit.CLUSTER)
    if job.status.phase is Phase.FAILED:
        print_failure(job)
        raise typer.Exit(Exit.FAILED)
    print_success(job)


def _show(cluster: Cluster, name: str) -> TrainingJob | None:
    """The job at its end; None if it was deleted before."""
    epochs = Epochs()
    with screen.open_screen() as view:
        for job in poll_job(cluster, name, seconds=_POLL_SECONDS):
            snapshot = of_job(job)
            line = epochs.of_snapshot(snapshot)
            if line:
                view.line(line)
            view.show(snapshot)
            if job.status.phase in FINISHED:
                last = epochs.end()
                if last:
                    view.line(last)
                return job
    return None


def print_success(job: TrainingJob) -> None:
    """How good the model is, and where it lies."""
    metadata = job.metadata
    screen.out(f"{metadata.name}: succeeded")
    for name, value in sorted(job.status.evaluation.items()):
        screen.out(f"  {name:<18} {value:.4f}")
    claim = job.spec.storage.claim or metadata.name
    screen.out(f"  {'results':<18} {metadata.namespace}/{metadata.name} on claim {claim}")


def print_failure(job: TrainingJob) -> None:
    """The first cause, and where to read more."""
    failure, name = job.status.failure, job.metadata.name
    message = failure.message if failure else _failed_message(job)
    rank = f" --rank {failure.rank}" if failure and failure.rank is not None else ""
    screen.print_error(
        f"{name} failed: {message}",
        hint=f"kubefit logs {name} -n {job.metadata.namespace}{rank}",
    )


def _failed_message(job: TrainingJob) -> str:
    found = [condition for condition in job.status.conditions if condition.type == "Failed"]
    return found[0].message if found else "the operator gave no reason"
