"""`kubefit run FILE`: trains on N processes of this machine, with the agent of the pods.

Fetches nothing and draws nothing itself: `client.local` runs, `screen` shows.
"""

import time
from pathlib import Path
from typing import Annotated

import typer

from kubefit.api.contract import WorkerStatus
from kubefit.api.names import Phase
from kubefit.api.v1alpha1 import MAX_WORKERS, TrainingJob
from kubefit.cli import ending, fetching, manifest, mounts, output, screen
from kubefit.cli.epochs import Epochs
from kubefit.cli.errors import CommandError, Exit
from kubefit.cli.mounts import MountOption
from kubefit.cli.output import Show
from kubefit.cli.progress import Rate, of_workers
from kubefit.cli.screen import Screen
from kubefit.cli.validate import RuntimeOption, check, summary
from kubefit.client.errors import JobRunsError
from kubefit.client.local import LocalResult, LocalRunError, run_local
from kubefit.client.local_record import LocalRecord


def run(
    file: Annotated[Path, typer.Argument(help="Manifest of a TrainingJob, or a Python program.")],
    args: Annotated[
        list[str] | None, typer.Argument(help="Arguments of the program, after --.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=MAX_WORKERS, help="Number of processes.")
    ] = None,
    runtime: RuntimeOption = None,
    name: Annotated[str | None, typer.Option(help="Name of the job, and of its folder.")] = None,
    runs_dir: Annotated[Path, typer.Option(help="Where results go, in a folder per job.")] = Path(
        "runs"
    ),
    volume: Annotated[
        Path, typer.Option(help="Folder in place of the job's volume; paths are relative to it.")
    ] = Path(),
    mount: MountOption = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew, whatever checkpoints there are.")
    ] = False,
    logs: Annotated[
        Show | None,
        typer.Option(help="Whose output to show; by default a program's chief, of a recipe none."),
    ] = None,
) -> None:
    """Train on this machine: N processes in lockstep, no cluster."""
    job = manifest.load(
        file, workers=workers, name=name, runtime=runtime, args=args or [], fresh=fresh
    )
    job = mounts.mounted(file, job, mount or ())
    _check_volumes(file, job)
    fetching.fetch(file, job, volume=volume)
    check(file, job, volume=volume, runs_dir=runs_dir)
    screen.note(f"{job.metadata.name}: {summary(job)} on this machine")
    result = _train(job, volume=volume, runs_dir=runs_dir, show=logs or _default(job))
    if result.phase is not Phase.SUCCEEDED:
        ending.print_failure(job, result)
        raise typer.Exit(Exit.FAILED)
    ending.print_success(job, result)


def _check_volumes(file: Path, job: TrainingJob) -> None:
    missing = mounts.absent(job)
    if missing is not None:
        place = f"spec.volumes[{job.spec.volumes.index(missing)}].mountPath"
        raise CommandError(
            f"{file}: {place}: there is no {missing.mount_path} on this machine;"
            f" --mount {missing.name}=DIR names a folder in its place"
        )


def _default(job: TrainingJob) -> Show:
    return Show.CHIEF if job.spec.script else Show.NONE


def _train(job: TrainingJob, *, volume: Path, runs_dir: Path, show: Show) -> LocalResult:
    with screen.open_screen() as view:
        watcher = _Watcher(view, show=show)
        try:
            with LocalRecord(runs_dir.absolute() / job.metadata.name).hold():
                result = run_local(
                    job,
                    volume_dir=volume,
                    runs_dir=runs_dir,
                    on_status=watcher.on_status,
                    on_line=watcher.on_line,
                )
        except JobRunsError as error:
            hint = "wait for its end, or give this one another name with --name"
            raise CommandError(*error.sentences, hint=hint) from error
        except LocalRunError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt as error:
            raise CommandError(
                "interrupted: all workers have ended",
                code=Exit.INTERRUPTED,
                hint=f"their output is below {runs_dir / job.metadata.name / 'logs'}",
            ) from error
        watcher.end()
    return result


class _Watcher:
    """Passes on what the workers tell and print."""

    def __init__(self, view: Screen, *, show: Show) -> None:
        self._view = view
        self._show = show
        self._rate = Rate()
        self._epochs = Epochs()

    def on_status(self, statuses: list[WorkerStatus]) -> None:
        snapshot = of_workers(statuses, rate=self._rate, now=time.monotonic())
        self._line(self._epochs.of_snapshot(snapshot))
        self._view.show(snapshot)

    def on_line(self, rank: int, line: str) -> None:
        epoch = self._epochs.of_output(line) if rank == 0 else None
        self._line(epoch or output.shown(rank, line, show=self._show))

    def end(self) -> None:
        self._line(self._epochs.end())

    def _line(self, text: str | None) -> None:
        if text is not None:
            self._view.line(text)
