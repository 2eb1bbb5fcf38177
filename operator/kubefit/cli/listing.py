"""`kubefit list`: the jobs of a namespace, as `kubectl get tj` shows them."""

import datetime
from typing import Annotated, Any

import typer

from kubefit.cli import screen
from kubefit.cli.cluster import Context, Kubeconfig, Namespace, connect
from kubefit.cli.documents import Format, print_documents

_COLUMNS = ["NAME", "STATE", "READY", "EPOCH", "PROGRESS", "LOSS", "RESTARTS", "AGE"]


def list_jobs(
    all_namespaces: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="Of all namespaces.")
    ] = False,
    output: Format = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List TrainingJobs."""
    cluster = connect(namespace, context, kubeconfig)
    found = cluster.documents(all_namespaces=all_namespaces)
    if output is not None:
        print_documents(found, output)
        return
    if not found:
        where = "any namespace" if all_namespaces else f"namespace {cluster.namespace}"
        screen.note(f"no TrainingJobs in {where}")
        return
    now = datetime.datetime.now(datetime.UTC)
    rows = [_row(document, now) for document in found]
    if all_namespaces:
        spaces = [document["metadata"]["namespace"] for document in found]
        rows = [[space, *row] for space, row in zip(spaces, rows, strict=True)]
    screen.table(["NAMESPACE", *_COLUMNS] if all_namespaces else _COLUMNS, rows)


def _row(document: dict[str, Any], now: datetime.datetime) -> list[str]:
    metadata, status = document["metadata"], document.get("status", {})
    summary = status.get("summary", {})
    cells = [metadata["name"], status.get("phase", "")]
    cells += [summary.get(name, "") for name in ("ready", "epoch", "progress", "loss")]
    created = datetime.datetime.fromisoformat(metadata["creationTimestamp"])
    return [*cells, str(status.get("restarts", 0)), age(now - created)]


def age(passed: datetime.timedelta) -> str:
    """`42s`, `7m`, `3h`, `12d`."""
    seconds = max(0, int(passed.total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
