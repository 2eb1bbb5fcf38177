"""The reference of the command, asked of itself: every part with its arguments and options."""

from collections.abc import Iterator
from typing import Any

import typer

from kubefit.cli import app
from kubefit.generate.reference import table
from kubefit.generate.text import MARKDOWN_NOTICE

_NAME = "kubefit"


def command_line_md() -> str:
    """Every command with all that it takes."""
    root = typer.main.get_command(app)
    return "\n".join(
        [
            MARKDOWN_NOTICE,
            "# Every command and option\n",
            "`kubectl fit` is the same as `kubefit`; `--help` says this too."
            " [In short, and the exit codes](../command-line.md).\n",
            *_sections(root, _NAME),
        ]
    )


def _sections(command: Any, called: str) -> Iterator[str]:
    parts = getattr(command, "commands", None)
    if parts is None:
        yield from _section(command, called)
    for name, part in (parts or {}).items():
        yield from _sections(part, f"{called} {name}")


def _section(command: Any, called: str) -> Iterator[str]:
    context = typer.Context(command, info_name=called)
    usage = " ".join([called, *command.collect_usage_pieces(context)])
    yield f"## {called}\n"
    yield f"```text\n{usage}\n```\n"
    yield f"{_line(command.help)}\n"
    records = (parameter.get_help_record(context) for parameter in command.params)
    rows = [(f"`{called}`", meaning) for called, meaning in filter(None, records)]
    if rows:
        yield table(("Argument or option", "Meaning"), iter(rows))


def _line(text: str | None) -> str:
    return " ".join((text or "").split())
