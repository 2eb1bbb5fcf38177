"""The options that name a cluster, as in kubectl, and the connection they make."""

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from kubefit.cli.errors import CommandError
from kubefit.client.kubernetes import Cluster

Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Namespace; by default the context's.")
]
Context = Annotated[str | None, typer.Option("--context", help="Context of the kubeconfig.")]
Kubeconfig = Annotated[Path | None, typer.Option("--kubeconfig", help="Kubeconfig file.")]
JobName = Annotated[str, typer.Argument(metavar="NAME", help="Name of a TrainingJob.")]


def connect(namespace: str | None, context: str | None, kubeconfig: Path | None) -> Cluster:
    """The cluster that the options name.

    Raises:
        ClusterError: the kubeconfig cannot be used.
        CommandError: the Kubernetes client is not installed.

    """
    if importlib.util.find_spec("kubernetes") is None:
        raise CommandError("a cluster needs the Kubernetes client: pip install 'kubefit[cli]'")
    return Cluster(namespace=namespace, context=context, kubeconfig=kubeconfig)
