"""What can be said of a job's script, data, network and weights before anything starts.

The same checks as in the pods, made by the same code; TensorFlow is not needed for them.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from kubefit.api.contract import RunConfig, job_dir
from kubefit.api.recipe import Recipe
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.cli import fetching, mounts

_NOT_STORED = ("none", "imagenet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found, and what could not be looked at here."""

    faults: list[str]
    left_out: str = ""
    """One sentence; empty when all was checked."""


def check(job: TrainingJob, *, volume: Path | None, runs_dir: Path | None = None) -> Checked:
    """Checks script, data and weights; relative paths are below `volume`.

    Without a volume only what needs none is checked: inline source, and absolute paths that exist
    on this machine. Jobs have their folders in `runs_dir`, else on the volume as on a cluster.
    """
    missing = mounts.absent(job)
    if missing is not None:
        return Checked(
            faults=[],
            left_out=f"what lies in the volume {missing.name} was not looked at:"
            f" --mount {missing.name}=DIR names a copy of it",
        )
    to_fetch = fetching.not_fetched(job, volume=volume)
    if to_fetch:
        return Checked(faults=[], left_out=f"{to_fetch} was not looked at: it is fetched first")
    config = _run_config(job, volume=volume or Path.cwd(), runs_dir=runs_dir)
    checked = _check_script(config, on_volume=volume is not None)
    if checked.faults or checked.left_out:
        return checked
    return _check_files(config, on_volume=volume is not None)


def _run_config(job: TrainingJob, *, volume: Path, runs_dir: Path | None) -> RunConfig:
    namespace, name, folder = job.metadata.namespace, job.metadata.name, str(volume.absolute())
    return RunConfig(
        namespace=namespace,
        name=name,
        workers=job.spec.workers,
        hosts="localhost",
        volume_dir=folder,
        job_dir=str(runs_dir.absolute() / name) if runs_dir else job_dir(folder, namespace, name),
        initial_weights=job.spec.initial_weights,
        recipe=job.spec.recipe,
        script=job.spec.script,
    )


def _check_script(config: RunConfig, *, on_volume: bool) -> Checked:
    from kubefit_trainer import script

    given = config.script
    if given is None:
        return Checked(faults=[])
    here = given.inline is not None or (given.path is not None and Path(given.path).is_file())
    if not (here or on_volume):
        return Checked(
            faults=[],
            left_out="the script was not looked at: it lies in the image or on the job's volume",
        )
    failure = script.check(config)
    return Checked(faults=[failure.message] if failure else [])


def _check_files(config: RunConfig, *, on_volume: bool) -> Checked:
    """Data and weights."""
    if config.recipe is None and config.initial_weights is None:
        return Checked(faults=[])
    what = "the data were" if config.recipe else "the initial weights were"
    if not (on_volume or all(_is_here(path) for path in _paths(config))):
        return Checked(
            faults=[],
            left_out=f"{what} not looked at: --volume DIR names a copy of the job's volume",
        )
    if importlib.util.find_spec("PIL") is None:
        return Checked(
            faults=[],
            left_out=f"{what} not looked at: that needs pip install 'kubefit[trainer]'",
        )
    from kubefit_trainer import preflight

    # A rank opens its share of the images only; one worker's share is all of them.
    alone = config.model_copy(update={"workers": 1, "initial_weights": None})
    found = preflight.check(config, 0) or preflight.check(alone, 0)
    return Checked(faults=[found] if found else [])


def _is_here(path: str) -> bool:
    return Path(path).is_absolute() and Path(path).exists()


def _paths(config: RunConfig) -> list[str]:
    found, initial = _paths_of(config.recipe) if config.recipe else [], config.initial_weights
    # A job's name is no path, and leads to a folder on the volume.
    return [*found, initial.path or ""] if initial else found


def _paths_of(recipe: Recipe) -> list[str]:
    given = recipe.samples
    sets = [given.train, given.validation, given.test]
    found = [path for some in sets if some is not None for path in some.paths]
    backbone = recipe.backbone
    stored = backbone and (backbone.saved or backbone.weights)
    if stored and stored not in _NOT_STORED:
        found.append(stored)
    return found
