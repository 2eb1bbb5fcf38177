"""What can be said of a job's data and network before TensorFlow starts.

Agent and command line call `check`. Imports neither TensorFlow nor NumPy, and writes nothing.
"""

from pathlib import Path

from kubefit.api.contract import RunConfig
from kubefit.api.recipe import Data, OnUnreadable, Recipe
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import counts, indexing, network, pictures, weights
from kubefit_trainer.preflight.indexing import Indexed
from kubefit_trainer.preflight.manifests import SPLITS

_PICTURE_SECONDS = 10.0
_DATA = "spec.recipe.data"


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
    volume, data = Path(config.volume_dir), recipe.data
    field = indexing.field_of(data.train, f"{_DATA}.train")
    train = indexing.index(data.train, data.labels, volume, field=field, known=None)
    names = train.labels.names
    network.check(recipe, classes=len(names), validates=_validates(data, train))
    _check_weights(recipe, volume)
    _check_splits(data, train, volume)
    counts.check(recipe, train.labels.strata, names, train.splits, workers=config.workers)
    _check_pictures(train, config, rank, field=field)
    for name, images in (("validation", data.validation), ("test", data.test)):
        if images is not None:
            field = indexing.field_of(images, f"{_DATA}.{name}")
            found = indexing.index(images, data.labels, volume, field=field, known=names)
            if found.splits is not None:
                counts.check_split(found.splits, name)
            _check_pictures(found, config, rank, field=field)


def _validates(data: Data, train: Indexed) -> bool:
    return data.validates or (train.splits is not None and 1 in train.splits)


def _check_splits(data: Data, train: Indexed, volume: Path) -> None:
    """Splits of a manifest stand alone: what is said twice would be used once."""
    if train.splits is None:
        return
    manifest = f"{_DATA}.train.manifest: {volume / str(data.train.manifest)}"
    if data.validation_split or data.test_split:
        raise ConfigurationError(
            f"{manifest} has a column split; leave validationSplit and testSplit out, or the column"
        )
    for place, name in enumerate(SPLITS[1:], start=1):
        if getattr(data, name) is not None and place in train.splits:
            raise ConfigurationError(
                f"{manifest} has images of the split {name} beside {_DATA}.{name}; leave that"
                " field out, or those lines"
            )


def _check_pictures(found: Indexed, config: RunConfig, rank: int, *, field: str) -> None:
    """What is to be left out is found when it is decoded."""
    recipe = config.recipe
    if found.encoded is None or recipe is None or recipe.data.on_unreadable is OnUnreadable.SKIP:
        return
    ours = range(rank, len(found.encoded), config.workers)
    pictures.check(found.encoded, ours, field=field, seconds=_PICTURE_SECONDS)


def _check_weights(recipe: Recipe, volume: Path) -> None:
    backbone = recipe.model.backbone
    if backbone is not None and weights.needs_file(backbone):
        weights.check(backbone, volume)
