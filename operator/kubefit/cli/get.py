"""`kubefit get NAME`: one job in a few lines: state, progress, cause, conditions."""

from collections.abc import Iterator

from kubefit.api.v1alpha1 import TrainingJob
from kubefit.cli import screen
from kubefit.cli.cluster import Context, JobName, Kubeconfig, Namespace, connect
from kubefit.cli.documents import Format, print_document
from kubefit.cli.progress import of_job
from kubefit.cli.validate import summary


def get(
    name: JobName,
    output: Format = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show one job: state, progress, conditions."""
    cluster = connect(namespace, context, kubeconfig)
    if output is not None:
        print_document(cluster.document(name), output)
        return
    for label, text in describe(cluster.job(name)):
        screen.out(f"{label:<14} {text}")


def describe(job: TrainingJob) -> Iterator[tuple[str, str]]:
    """Labels and texts."""
    snapshot, status = of_job(job), job.status
    yield "name", f"{job.metadata.namespace}/{job.metadata.name} ({summary(job)})"
    yield "state", snapshot.phase
    if snapshot.epoch:
        yield "progress", f"{screen.epoch_of(snapshot)}  {screen.numbers(snapshot.logs)}"
    if status.progress and status.progress.skipped_images:
        yield "skipped", f"{status.progress.skipped_images} images that cannot be read"
    if status.evaluation:
        yield "evaluation", screen.numbers(status.evaluation)
    for warning in status.warnings:
        yield "warning", warning
    if status.restarts:
        yield "restarts", f"{status.restarts} of {job.spec.run_policy.max_restarts}"
    if status.failure:
        yield "failure", f"{status.failure.reason}: {status.failure.message}"
        for line in status.failure.details.splitlines():
            yield "", line
    for failure in status.failures[:-1]:
        when = f"{failure.time:%Y-%m-%d %H:%M:%S} " if failure.time else ""
        yield "earlier", f"{when}{failure.reason}: {failure.message}"
    if status.tensorboard:
        yield "tensorboard", status.tensorboard
    for condition in status.conditions:
        yield (
            "condition",
            f"{condition.type} {condition.status} {condition.reason}: {condition.message}",
        )
