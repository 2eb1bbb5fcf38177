"""`kubefit sweep FILE`: trains a job with many values of some fields, and tells which are best."""

import json
from pathlib import Path
from typing import Annotated

import typer

from kubefit.cli import screen
from kubefit.cli.cluster import Context, Kubeconfig, Namespace, connect
from kubefit.cli.documents import Output
from kubefit.cli.errors import CommandError, Exit
from kubefit.client.backend import Backend
from kubefit.client.manifest import read_document
from kubefit.client.on_cluster import OnCluster
from kubefit.client.on_this_machine import OnThisMachine
from kubefit.client.sweeping import read_sweep, run_sweep
from kubefit.sweep import State, Sweep, SweepResult, Trial, TrialResult, result_of, values_of

_OVER = (State.SUCCEEDED, State.FAILED, State.STOPPED)


def sweep(
    file: Annotated[Path, typer.Argument(help="File with a Sweep.")],
    local: Annotated[
        bool, typer.Option("--local", help="Train on this machine instead of on a cluster.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check all trials, and show their values.")
    ] = False,
    output: Annotated[
        Output | None, typer.Option("--output", "-o", help="Other format of the result: json.")
    ] = None,
    runs_dir: Annotated[
        Path, typer.Option(help="With --local: where results go, in a folder per trial.")
    ] = Path("runs"),
    volume: Annotated[
        Path, typer.Option(help="With --local: folder in place of the volume of the jobs.")
    ] = Path(),
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Train a job with many values of some fields; the same command goes on with one begun."""
    if output not in (None, Output.JSON):
        raise CommandError(f"--output: {output} is not a format of a sweep; take json")
    found = read_sweep(file, read_document(file))
    if dry_run:
        trials = [Trial(number=n, state=State.WAITING) for n in range(_count(found))]
        _print(found, result_of(found, trials), output)
        return
    backend: Backend
    if local:
        backend = OnThisMachine(runs_dir=runs_dir, volume_dir=volume)
    else:
        backend = OnCluster(connect(namespace or found.metadata.namespace, context, kubeconfig))
    result = _run(found, backend, local=local)
    _print(found, result, output)
    if result.best is None:
        raise typer.Exit(Exit.FAILED)


def _count(sweep: Sweep) -> int:
    return len(values_of(sweep))


def _run(sweep: Sweep, backend: Backend, *, local: bool) -> SweepResult:
    teller = _Teller(sweep)
    try:
        return result_of(sweep, run_sweep(sweep, backend, on_trials=teller.tell))
    except KeyboardInterrupt as error:
        left = "all workers have ended" if local else "trials on the cluster go on"
        raise CommandError(
            f"interrupted: {left}",
            code=Exit.INTERRUPTED,
            hint="the same command goes on with this sweep",
        ) from error
    finally:
        backend.close()


class _Teller:
    """A line beside the result for each trial that begins or ends."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        self._known: dict[int, State] = {}

    def tell(self, trials: list[Trial]) -> None:
        result = result_of(self._sweep, trials)
        for trial in result.trials:
            before, self._known[trial.number] = self._known.get(trial.number), trial.state
            if trial.state is not before and trial.state is not State.WAITING:
                screen.note(_line(self._sweep, trial))


def _line(sweep: Sweep, trial: TrialResult) -> str:
    """`digits-3 Stopped after 2 epochs with val_loss 0.9: its best ... is worse ...`."""
    words = [trial.name, trial.state.value]
    if trial.state is State.RUNNING:
        words.append(" ".join(f"{path}={value}" for path, value in trial.values.items()))
    elif trial.state in _OVER and trial.value is not None:
        epochs = f"{trial.epochs} epoch{'s' if trial.epochs != 1 else ''}"
        words.append(f"after {epochs} with {sweep.spec.objective.metric} {_number(trial)}")
    return " ".join(words) + (f": {trial.note}" if trial.note else "")


def _print(sweep: Sweep, result: SweepResult, output: Output | None) -> None:
    if output is Output.JSON:
        screen.out(json.dumps([trial.document() for trial in result.trials], indent=2))
        return
    parameters = sweep.spec.parameters
    columns = ["TRIAL", "STATE", *(parameter.label for parameter in parameters)]
    columns += ["EPOCHS", sweep.spec.objective.metric]
    rows = [
        [
            trial.name,
            trial.state.value,
            *(str(trial.values[parameter.path]) for parameter in parameters),
            str(trial.epochs),
            _number(trial) + (" *" if trial.best else ""),
        ]
        for trial in result.trials
    ]
    screen.table(columns, rows)
    best = result.best
    if best is not None:
        screen.out(f"best: {best.name}, {sweep.spec.objective.metric} {_number(best)}")


def _number(trial: TrialResult) -> str:
    return "" if trial.value is None else f"{trial.value:.6g}"
