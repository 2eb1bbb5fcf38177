"""`kubefit doctor`: whether the cluster, and the rights of whoever asks, are fit for jobs."""

import datetime
from typing import Annotated

import typer

from kubefit.cli import screen
from kubefit.cli.checkup import checkup
from kubefit.cli.cluster import Context, Kubeconfig, Namespace, connect
from kubefit.cli.errors import Exit
from kubefit.cli.finding import Level
from kubefit.client.survey import survey


def doctor(
    system_namespace: Annotated[
        str, typer.Option(help="Where KubeFit is installed, for who may not look everywhere.")
    ] = "kubefit-system",
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Check the cluster, and your rights in it, for what jobs need."""
    seen = survey(connect(namespace, context, kubeconfig), system_namespace)
    findings = checkup(seen, datetime.datetime.now(datetime.UTC))
    for finding in findings:
        screen.out(f"{finding.level:<8} {finding.check:<11} {finding.message}")
    if any(finding.level is Level.FAIL for finding in findings):
        raise typer.Exit(Exit.FAILED)
