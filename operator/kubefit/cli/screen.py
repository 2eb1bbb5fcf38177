"""Everything that is printed: results on stdout, progress and errors on stderr.

On a terminal progress is one moving line; elsewhere one plain line per epoch. Colours and symbols
are left out where the terminal or `NO_COLOR` asks for it.
"""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Protocol, Self, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import track as rich_track
from rich.table import Table

from kubefit.cli.progress import Snapshot

_T = TypeVar("_T")


def _stdout() -> Console:
    return Console(soft_wrap=True, highlight=False, emoji=False)


def _stderr() -> Console:
    return Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)


def out(text: str) -> None:
    """A line of a command's result."""
    _stdout().print(text, markup=False)


def note(text: str) -> None:
    """A line beside the result."""
    _stderr().print(text, markup=False)


def worker_line(rank: int, text: str) -> None:
    """`worker-0 | text`, the prefix in the worker's colour."""
    prefix = f"[{_COLOURS[rank % len(_COLOURS)]}]worker-{rank} |[/]"
    _stdout().print(f"{prefix} {escape(text)}")


_COLOURS = ("cyan", "green", "magenta", "yellow", "blue")


def print_error(*sentences: str, hint: str = "") -> None:
    """Sentences about what went wrong, and what to do."""
    console = _stderr()
    for sentence in sentences:
        console.print(f"[bold red]error:[/] {escape(sentence)}")
    if hint:
        console.print(f"[bold]hint:[/] {escape(hint)}")


def table(columns: list[str], rows: list[list[str]]) -> None:
    """Columns as `kubectl get` aligns them."""
    grid = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), show_edge=False)
    for column in columns:
        grid.add_column(column, no_wrap=True, header_style="")
    for row in rows:
        grid.add_row(*(escape(cell) for cell in row))
    console = _stdout()
    console.print(grid, width=None if console.is_terminal else 10_000, crop=False)


def numbers(logs: Mapping[str, float]) -> str:
    """`loss 0.1234  accuracy 0.9700`; losses first, validation last."""
    names = sorted(logs, key=lambda name: (name.startswith("val_"), "loss" not in name, name))
    return "  ".join(f"{name} {_number(logs[name])}" for name in names)


def _number(value: float) -> str:
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.3g}"


def track(items: Iterable[_T], total: int, *, doing: str) -> Iterable[_T]:
    """The same items; on a terminal with a bar that moves as they are taken."""
    console = _stderr()
    if not console.is_terminal:
        return items
    return rich_track(items, doing, total, console=console, transient=True)


class Screen(Protocol):
    """Shows a training while it goes on; a context manager."""

    def show(self, snapshot: Snapshot) -> None:
        """The present state."""

    def line(self, text: str) -> None:
        """A line that stays."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


def open_screen() -> Screen:
    """The screen that fits where stderr goes."""
    console = _stderr()
    if console.is_terminal and not console.is_dumb_terminal:
        return _Live(console)
    return _Plain()


class _Plain:
    """Lines only: one when the phase changes."""

    def __init__(self) -> None:
        self._phase = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, snapshot: Snapshot) -> None:
        if snapshot.phase != self._phase:
            self._phase = snapshot.phase
            note(snapshot.phase)

    def line(self, text: str) -> None:
        note(text)


class _Live:
    """A moving line below the lines that stay."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[numbers]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("starting", total=None, numbers="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, snapshot: Snapshot) -> None:
        words = [snapshot.phase]
        if snapshot.epoch:
            words.append(epoch_of(snapshot))
        shown = [numbers({n: v for n, v in snapshot.logs.items() if n == "loss"})]
        if snapshot.examples_per_second:
            shown.append(f"{snapshot.examples_per_second:.0f} samples/s")
        self._progress.update(
            self._task,
            description=" ".join(words),
            total=snapshot.total_steps,
            completed=snapshot.step,
            numbers="  ".join(text for text in shown if text),
        )

    def line(self, text: str) -> None:
        self._console.print(text, markup=False)


def epoch_of(snapshot: Snapshot) -> str:
    """`epoch 3/10`."""
    of = f"/{snapshot.epochs}" if snapshot.epochs else ""
    return f"epoch {snapshot.epoch}{of}"
