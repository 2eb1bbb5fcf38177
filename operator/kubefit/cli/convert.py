"""`kubefit convert FILE...`: manifests of Kubeflow as TrainingJobs."""

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from kubefit.cli import screen
from kubefit.cli.errors import CommandError
from kubefit.cli.validate import RuntimeOption
from kubefit.client.errors import InvalidJobError
from kubefit.client.manifest import read_documents
from kubefit.convert import Given, UnconvertibleError, can_convert
from kubefit.convert import convert as converted


def convert(
    files: Annotated[
        list[Path],
        typer.Argument(help="Files with manifests of Kubeflow; - is stdin.", metavar="FILE..."),
    ],
    claim: Annotated[
        str | None, typer.Option(help="PersistentVolumeClaim for spec.storage.")
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="Image with KubeFit and the program, for spec.image.")
    ] = None,
    script: Annotated[
        str | None, typer.Option(help="The program in the image, for spec.script.path.")
    ] = None,
    runtime: RuntimeOption = None,
    output: Annotated[
        Path | None, typer.Option(help="File for the TrainingJobs, in place of stdout.")
    ] = None,
) -> None:
    """Turn TFJobs and TrainJobs of Kubeflow into TrainingJobs; stderr tells what to look at."""
    given = Given(claim=claim, image=image, script=script, runtime=runtime)
    jobs: list[dict[str, Any]] = []
    faults: list[str] = []
    for file in files:
        try:
            documents = read_documents(file)
        except InvalidJobError as error:
            faults += error.sentences
            continue
        for document in _single(documents):
            _convert(f"{file}: {_called(document)}", document, given, jobs, faults)
    if jobs:
        _write(jobs, output)
    elif not faults:
        faults.append(f"{', '.join(map(str, files))}: no TFJob or TrainJob is in there")
    if faults:
        raise CommandError(*faults)


def _convert(
    label: str, document: Any, given: Given, jobs: list[dict[str, Any]], faults: list[str]
) -> None:
    if not can_convert(document):
        screen.note(f"{label}: is passed over: only TFJob and TrainJob are converted")
        return
    try:
        found = converted(document, given)
    except UnconvertibleError as error:
        faults.append(f"{label}: {error}")
        return
    for note in found.notes:
        screen.note(f"{label}: {note}")
    jobs.append(found.job)


def _single(documents: list[Any]) -> list[Any]:
    """The documents, with the items of lists as `kubectl get -o yaml` prints them."""
    found = []
    for document in documents:
        items = document.get("items") if isinstance(document, dict) else None
        found += items if isinstance(items, list) else [document]
    return found


def _called(document: Any) -> str:
    """`TFJob mnist`, as far as it is called anything."""
    if not isinstance(document, dict):
        return "a document"
    metadata = document.get("metadata")
    given = metadata if isinstance(metadata, dict) else {}
    name = given.get("name") or given.get("generateName") or ""
    return f"{document.get('kind') or 'a document'} {name}".rstrip()


def _write(jobs: list[dict[str, Any]], output: Path | None) -> None:
    text = yaml.dump_all(jobs, Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True)
    if output is None:
        screen.out(text.rstrip("\n"))
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"--output: {output} cannot be written: {error.strerror}") from error


class _Dumper(yaml.SafeDumper):
    """Programs keep their lines, and nothing is written by reference."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
