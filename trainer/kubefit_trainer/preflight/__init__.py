"""What can be said of a job's data and network before TensorFlow starts.

Agent and command line call `check`. Imports neither TensorFlow nor NumPy, and writes nothing.
"""

from pathlib import Path

from kubefit.api.contract import RunConfig
from kubefit.api.recipe import Data, Images, OnUnreadable, Recipe
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import counts, indexing, network, pictures, weights
from kubefit_trainer.preflight.indexing import Indexed

_PICTURE_SECONDS = 10.0
_TRAIN = "spec.recipe.data.train"


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
    train = _look_at(data.train, data, volume, field=_TRAIN)
    network.check(recipe, classes=len(train.classes))
    _check_weights(recipe, volume)
    found = counts.by_class(train.labels, train.classes)
    counts.check(recipe, found, workers=config.workers)
    _check_pictures(train, config, rank, field=_TRAIN)
    for field, images in (
        ("spec.recipe.data.validation", data.validation),
        ("spec.recipe.data.test", data.test),
    ):
        if images is not None:
            found_there = _look_at(images, data, volume, field=field, classes=train.classes)
            _check_pictures(found_there, config, rank, field=field)


def _look_at(
    images: Images, data: Data, volume: Path, *, field: str, classes: list[str] | None = None
) -> Indexed:
    found = indexing.index(images, volume, field=field, classes=classes)
    if found.splits is not None and (data.validation_split or data.test_split):
        raise ConfigurationError(
            f"{field}.manifest: {volume / str(images.manifest)} has a column split; leave"
            " validationSplit and testSplit out, or the column"
        )
    return found


def _check_pictures(found: Indexed, config: RunConfig, rank: int, *, field: str) -> None:
    """What is to be left out is found when it is decoded."""
    recipe = config.recipe
    if found.encoded is None or recipe is None or recipe.data.on_unreadable is OnUnreadable.SKIP:
        return
    ours = range(rank, len(found.encoded), config.workers)
    pictures.check(found.encoded, ours, field=f"{field}.{found.source}", seconds=_PICTURE_SECONDS)


def _check_weights(recipe: Recipe, volume: Path) -> None:
    backbone = recipe.model.backbone
    if backbone is not None and weights.needs_file(backbone):
        weights.find(backbone, volume)
