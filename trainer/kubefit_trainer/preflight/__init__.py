"""What can be said of a job's data and network before TensorFlow starts.

Agent and command line call `check`. Imports neither TensorFlow nor NumPy, and writes nothing.
"""

from pathlib import Path

from kubefit.api.contract import RunConfig
from kubefit.api.recipe import Images, Recipe
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import archives, folders, network, packs, pictures
from kubefit_trainer.preflight.counts import held_out

_PICTURE_SECONDS = 5.0
_TRAIN = "spec.recipe.data.train"
_TEST = "spec.recipe.data.test"


def check(config: RunConfig, rank: int) -> str | None:
    """One sentence, starting with a field path, on what is wrong; None when nothing is.

    Image files are shared out: each rank looks at every N-th of them.
    """
    if config.recipe is None:
        return None
    try:
        _check(config, config.recipe, rank)
    except ConfigurationError as error:
        return str(error)
    return None


def _check(config: RunConfig, recipe: Recipe, rank: int) -> None:
    volume = Path(config.volume_dir)
    data = recipe.data
    classes, images, files = _look_at(data.train, volume, field=_TRAIN, classes=None)
    network.check(recipe, classes=len(classes))
    _check_weights(recipe, volume)
    _check_workers(config, recipe, images=images)
    ours = files[rank :: config.workers]
    pictures.check(ours, field=f"{_TRAIN}.folder", seconds=_PICTURE_SECONDS)
    if data.test is not None:
        _, _, files = _look_at(data.test, volume, field=_TEST, classes=classes)
        ours = files[rank :: config.workers]
        pictures.check(ours, field=f"{_TEST}.folder", seconds=_PICTURE_SECONDS)


def _look_at(
    images: Images, volume: Path, *, field: str, classes: list[str] | None
) -> tuple[list[str], int, list[str]]:
    """Names of the classes, number of images, and their files if they are files."""
    if images.folder is not None:
        folder = volume / images.folder
        names = folders.class_names(folder, field=f"{field}.folder")
        found = folders.index(folder, classes or names, field=f"{field}.folder")
        return names, len(found.files), found.files
    if images.packed is not None:
        pack = packs.read(volume / images.packed, field=f"{field}.packed")
        packs.relabelled(pack, known=classes, field=f"{field}.packed")
        return pack.classes, len(pack), []
    archive = archives.read(volume / str(images.npz), images, field=f"{field}.npz")
    names = archives.class_names(archive.labels, known=classes, field=f"{field}.npz")
    return names, len(archive.labels), []


def _check_weights(recipe: Recipe, volume: Path) -> None:
    backbone = recipe.model.backbone
    if backbone is None or backbone.weights in ("none", "imagenet"):
        return
    path = volume / backbone.weights
    if not path.is_file():
        raise ConfigurationError(
            f"spec.recipe.model.backbone.weights: {path} is not a file; name a weights file on the"
            " volume, imagenet or none"
        )


def _check_workers(config: RunConfig, recipe: Recipe, *, images: int) -> None:
    share, batch = recipe.data.validation_split, recipe.training.global_batch_size
    left = images - held_out(images, share)
    if left < config.workers:
        raise ConfigurationError(
            f"spec.workers: {config.workers} workers are more than the {left} training images"
            f" (of {images}, validationSplit {share:g})"
        )
    if batch < config.workers:
        raise ConfigurationError(
            f"spec.recipe.training.globalBatchSize: {batch} is less than the {config.workers}"
            " workers; each needs at least one image of every step"
        )
