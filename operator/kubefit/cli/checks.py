"""What can be said of a job's script, data and network before anything starts.

The same checks as in the pods, made by the same code; TensorFlow is not needed for them.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from kubefit.api.contract import RunConfig
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


def check(job: TrainingJob, *, volume: Path | None) -> Checked:
    """Checks script and data; relative paths are below `volume`.

    Without a volume only what needs none is checked: inline source, and absolute paths that exist
    on this machine.
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
    config = _run_config(job, volume=volume or Path.cwd())
    if job.spec.script is not None:
        return _check_script(config, on_volume=volume is not None)
    if job.spec.recipe is not None:
        return _check_recipe(config, job.spec.recipe, on_volume=volume is not None)
    return Checked(faults=[])


def _run_config(job: TrainingJob, *, volume: Path) -> RunConfig:
    return RunConfig(
        namespace=job.metadata.namespace,
        name=job.metadata.name,
        workers=job.spec.workers,
        hosts="localhost",
        volume_dir=str(volume.absolute()),
        job_dir="",
        recipe=job.spec.recipe,
        script=job.spec.script,
    )


def _check_script(config: RunConfig, *, on_volume: bool) -> Checked:
    from kubefit_trainer import script

    given = config.script
    here = given is not None and (
        given.inline is not None or (given.path is not None and Path(given.path).is_file())
    )
    if not (here or on_volume):
        return Checked(
            faults=[],
            left_out="the script was not looked at: it lies in the image or on the job's volume",
        )
    failure = script.check(config)
    return Checked(faults=[failure.message] if failure else [])


def _check_recipe(config: RunConfig, recipe: Recipe, *, on_volume: bool) -> Checked:
    if not (on_volume or all(_is_here(path) for path in _paths(recipe))):
        return Checked(
            faults=[],
            left_out="the data were not looked at: --volume DIR names a copy of the job's volume",
        )
    if importlib.util.find_spec("PIL") is None:
        return Checked(
            faults=[],
            left_out="the data were not looked at: that needs pip install 'kubefit[trainer]'",
        )
    from kubefit_trainer import preflight

    # A rank opens its share of the images only; one worker's share is all of them.
    alone = config.model_copy(update={"workers": 1})
    found = preflight.check(config, 0) or preflight.check(alone, 0)
    return Checked(faults=[found] if found else [])


def _is_here(path: str) -> bool:
    return Path(path).is_absolute() and Path(path).exists()


def _paths(recipe: Recipe) -> list[str]:
    sets = [recipe.data.train, recipe.data.validation, recipe.data.test]
    found = [path for images in sets if images is not None for path in images.paths]
    backbone = recipe.model.backbone
    stored = backbone and (backbone.saved or backbone.weights)
    if stored and stored not in _NOT_STORED:
        found.append(stored)
    return found
