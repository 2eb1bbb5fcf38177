"""`kubefit explain NAME`: what a job waits for or why it failed, and what comes next."""

import datetime

from kubefit.cli import screen
from kubefit.cli.cluster import Context, JobName, Kubeconfig, Namespace, connect
from kubefit.cli.documents import Format, print_document
from kubefit.cli.explanation import Seen, explained
from kubefit.client.kubernetes import Cluster
from kubefit.client.pods import Warned, WorkerPod
from kubefit.client.refusals import ForbiddenError


def explain(
    name: JobName,
    output: Format = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Say what a job waits for or why it failed, and what to do."""
    cluster = connect(namespace, context, kubeconfig)
    told = explained(
        Seen(
            job=cluster.job(name),
            pods=_pods(cluster, name),
            warnings=_warnings(cluster),
            now=datetime.datetime.now(datetime.UTC),
        )
    )
    if output is None:
        screen.out(" ".join(told.sentences))
    else:
        print_document(told.document(), output)


def _pods(cluster: Cluster, name: str) -> list[WorkerPod]:
    """Those of the job; who may not look at pods still learns what the status says."""
    try:
        return cluster.pods(name)
    except ForbiddenError:
        return []


def _warnings(cluster: Cluster) -> list[Warned]:
    try:
        return cluster.warnings()
    except ForbiddenError:
        return []
