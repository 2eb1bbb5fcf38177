"""Objects of the cluster as JSON, YAML or names, for programs."""

import json
from enum import StrEnum
from typing import Annotated, Any

import typer
import yaml

from kubefit.api.names import GROUP, SINGULAR
from kubefit.cli import screen


class Output(StrEnum):
    """Formats of `--output`."""

    JSON = "json"
    YAML = "yaml"
    NAME = "name"


Format = Annotated[Output | None, typer.Option("--output", "-o", help="Other format.")]


def print_documents(documents: list[dict[str, Any]], output: Output) -> None:
    """Prints a list of them."""
    if output is Output.NAME:
        for document in documents:
            screen.out(f"{SINGULAR}.{GROUP}/{document['metadata']['name']}")
    else:
        items = [_without_bookkeeping(document) for document in documents]
        print_document({"apiVersion": "v1", "kind": "List", "items": items}, output)


def print_document(document: dict[str, Any], output: Output) -> None:
    """Prints one."""
    match output:
        case Output.NAME:
            print_documents([document], output)
        case Output.JSON:
            screen.out(json.dumps(_without_bookkeeping(document), indent=2))
        case Output.YAML:
            text = yaml.safe_dump(_without_bookkeeping(document), sort_keys=False)
            screen.out(text.rstrip("\n"))


def _without_bookkeeping(document: dict[str, Any]) -> dict[str, Any]:
    """Without `managedFields`, as kubectl prints."""
    metadata = document.get("metadata", {})
    kept = {name: value for name, value in metadata.items() if name != "managedFields"}
    return {**document, **({"metadata": kept} if metadata else {})}
