"""`kubefit delete NAME`: ends a job; its volume goes by its deletionPolicy."""

from kubefit.cli import screen
from kubefit.cli.cluster import Context, JobName, Kubeconfig, Namespace, connect


def delete(
    name: JobName,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Delete a job; its results stay on the volume, unless the deletionPolicy of that is Delete."""
    cluster = connect(namespace, context, kubeconfig)
    cluster.delete(name)
    screen.out(f"trainingjob {name} in namespace {cluster.namespace} deleted")
