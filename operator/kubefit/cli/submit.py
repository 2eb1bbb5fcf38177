"""`kubefit submit FILE`: server-side apply of a manifest, after the same checks as `validate`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from kubefit.cli import manifest, screen
from kubefit.cli.cluster import Context, Kubeconfig, Namespace, connect
from kubefit.cli.errors import CommandError
from kubefit.cli.validate import check, summary
from kubefit.cli.watch import watch_job
from kubefit.client.manifest import parse, read_document
from kubefit.client.submitting import apply


class DryRun(StrEnum):
    """How far a dry run goes."""

    CLIENT = "client"
    SERVER = "server"


def submit(
    file: Annotated[Path, typer.Argument(help="Manifest of a TrainingJob.")],
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Watch it until it ends.")] = False,
    dry_run: Annotated[
        DryRun | None, typer.Option(help="Only check: here, or also by the API server.")
    ] = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Create or change a TrainingJob on a cluster."""
    document = _document(file)
    job = parse(file, document)
    check(file, job, volume=None)
    if dry_run is DryRun.CLIENT:
        screen.out(f"trainingjob {job.metadata.name} is valid ({summary(job)}); nothing was sent")
        return
    asked = namespace or document["metadata"].get("namespace")
    cluster = connect(asked, context, kubeconfig)
    _check_namespace(file, document, namespace)
    applied = apply(cluster, document, dry_run=dry_run is DryRun.SERVER)
    done = "was accepted by the API server; nothing was stored" if dry_run else "submitted"
    screen.out(f"trainingjob {applied.metadata.name} in namespace {cluster.namespace} {done}")
    if watch and not dry_run:
        watch_job(cluster, job.metadata.name)


def _document(file: Path) -> dict[str, Any]:
    if manifest.is_script(file):
        raise CommandError(
            f"{file}: a cluster needs a manifest, not a program",
            hint="put it into spec.script.inline of a TrainingJob, see docs/how-to/script.md",
        )
    document = read_document(file)
    parse(file, document)
    found: dict[str, Any] = document
    return found


def _check_namespace(file: Path, document: dict[str, Any], namespace: str | None) -> None:
    own = document["metadata"].get("namespace")
    if namespace and own and own != namespace:
        raise CommandError(
            f"{file}: metadata.namespace: {own} is not the namespace {namespace} of --namespace"
        )
