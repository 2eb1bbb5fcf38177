"""`kubefit data`: looks at images, packs them, and takes over the arguments of Keras programs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from kubefit.api.recipe import ImageLabels, LabelKind
from kubefit.cli import screen
from kubefit.cli.documents import Format, print_document
from kubefit.cli.errors import CommandError, Exit

app = typer.Typer(no_args_is_help=True, help="Look at images and prepare them for training.")

Source = Annotated[
    Path,
    typer.Argument(
        metavar="PATH",
        help="Class folders, .npz, .csv, .parquet, or what `data pack` or tfds wrote.",
    ),
]
Labels = Annotated[
    ImageLabels | None,
    typer.Option(
        "--labels", help="What is known of each image: one class, unless a pack tells it."
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--label-column", metavar="NAME", help="Of a manifest; may be given several times."
    ),
]
Separator = Annotated[
    str | None, typer.Option("--label-separator", help="Stands between the classes in one column.")
]


@contextmanager
def _trainer() -> Iterator[None]:
    """Turns errors of the trainer's code, or its absence, into those of a command."""
    try:
        from kubefit_trainer.failure import ConfigurationError
        from kubefit_trainer.images import decode  # noqa: F401
    except ImportError as error:
        raise CommandError(
            f"images cannot be read here: {error}", hint="pip install 'kubefit[trainer]'"
        ) from error
    try:
        yield
    except ConfigurationError as error:
        raise CommandError(str(error)) from error


def _threads() -> int:
    return len(os.sched_getaffinity(0))


@app.command("inspect")
def inspect(
    path: Source,
    headers: Annotated[
        bool, typer.Option("--headers", help="Read headers only: fast, finds fewer bad files.")
    ] = False,
    labels: Labels = None,
    label_column: Columns = None,
    label_separator: Separator = None,
    output: Format = None,
) -> None:
    """Tell classes, counts, sizes and bad files; exit code 1 where files cannot be read."""
    with _trainer():
        from kubefit_trainer.images import survey

        images = survey.images_at(path, columns=label_column, separator=label_separator)
        found = survey.survey(
            images,
            labels=labels or survey.labels_of(images),
            full=not headers,
            threads=_threads(),
            watch=lambda items, total: screen.track(items, total, doing="reading"),
        )
        said = survey.warnings(found)
    summary = {
        "kind": found.kind,
        "images": len(found.sizes),
        "labels": found.labels.value,
        "classes": found.classes,
        "numbers": {name: list(ends) for name, ends in found.numbers.items()},
        "kinds": dict(found.kinds.most_common()),
        "sizes": _sizes(found.sizes),
        "unreadable": found.unreadable,
        "warnings": said,
    }
    if output is not None:
        print_document(summary, output)
    else:
        _print(summary)
    if found.unreadable:
        raise typer.Exit(Exit.FAILED)


def _sizes(sizes: list[tuple[int, int]]) -> dict[str, str]:
    """`HEIGHTxWIDTH` of the smallest, the middle and the largest image by number of pixels."""
    if not sizes:
        return {}
    ordered = sorted(sizes, key=lambda size: size[0] * size[1])
    chosen = {"smallest": ordered[0], "median": ordered[len(ordered) // 2], "largest": ordered[-1]}
    return {name: f"{height}x{width}" for name, (height, width) in chosen.items()}


def _print(summary: dict[str, Any]) -> None:
    images, numbers = summary["images"], summary["numbers"]
    what = (
        f"with {len(numbers)} number{'s' if len(numbers) > 1 else ''} each"
        if numbers
        else f"in {len(summary['classes'])} classes"
    )
    screen.out(f"{images} images {what} ({summary['kind']})")
    for label, texts in (
        ("sizes", [f"{name} {size}" for name, size in summary["sizes"].items()]),
        ("formats", [f"{kind} {count}" for kind, count in summary["kinds"].items()]),
    ):
        screen.out(f"{label:<9} {', '.join(texts)}")
    rows = [
        [name, str(count), f"{100 * count / images:.1f} %" if images else ""]
        for name, count in summary["classes"].items()
    ]
    if numbers:
        ends = [[name, *(f"{end:g}" for end in found)] for name, found in numbers.items()]
        screen.table(["NUMBER", "SMALLEST", "LARGEST"], ends)
    else:
        screen.table(["CLASS", "IMAGES", "SHARE"], rows)
    for sentence in summary["warnings"]:
        screen.note(f"warning: {sentence}")
    for file, reason in summary["unreadable"].items():
        screen.note(f"unreadable: {file}: {reason}")


@app.command("pack")
def pack(
    path: Source,
    out: Annotated[Path, typer.Argument(help="New folder for the shards.")],
    size: Annotated[
        int, typer.Option(min=8, max=4096, help="Shorter side of the packed images in pixels.")
    ] = 256,
    quality: Annotated[int, typer.Option(min=1, max=100, help="Quality of JPEG images.")] = 95,
    labels: Labels = None,
    label_column: Columns = None,
    label_separator: Separator = None,
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Leave out what cannot be read, and name it.")
    ] = False,
) -> None:
    """Write images resized and in shards, from which training reads faster."""
    with _trainer():
        from kubefit_trainer.images import pack as packing
        from kubefit_trainer.images import survey

        images = survey.images_at(path, columns=label_column, separator=label_separator)
        written = packing.pack(
            images,
            out,
            kind=labels or survey.labels_of(images),
            side=size,
            quality=quality,
            skip_unreadable=skip_unreadable,
            threads=_threads(),
            watch=lambda items, total: screen.track(items, total, doing="packing"),
        )
    for file, reason in written.skipped.items():
        screen.note(f"left out: {file}: {reason}")
    left_out = f", {len(written.skipped)} left out" if written.skipped else ""
    known = "numbers" if written.labels is LabelKind.REGRESSION else "classes"
    screen.out(
        f"{out}: {written.images} images of {written.names} {known} in {written.shards}"
        f" shard{'s' if written.shards != 1 else ''}, {written.bytes / 1e6:.1f} MB{left_out}"
    )


@app.command("import-generator")
def import_generator(
    program: Annotated[Path, typer.Argument(help="Python program with an ImageDataGenerator.")],
) -> None:
    """Print the recipe's data and augmentation for a program's ImageDataGenerator."""
    from kubefit.api import generators

    try:
        source = program.read_text(encoding="utf-8")
        found = generators.translate(source)
    except (OSError, UnicodeDecodeError, SyntaxError, generators.NoGeneratorError) as error:
        raise CommandError(f"{program}: {error}") from error
    screen.out(yaml.safe_dump(found.recipe, sort_keys=False).rstrip("\n"))
    for note in found.notes:
        screen.note(f"note: {note}")
