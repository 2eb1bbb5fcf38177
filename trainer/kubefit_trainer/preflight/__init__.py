"""What can be said of a job's data, network and weights before TensorFlow starts.

Agent and command line call `check`. Imports neither TensorFlow nor NumPy, and writes nothing.
"""

from array import array
from pathlib import Path

from kubefit.api.contract import RunConfig
from kubefit.api.recipe import Data, ImageRecipe, OnUnreadable, Recipe, TextRecipe, known_as
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import (
    counts,
    documents,
    indexing,
    initial_weights,
    network,
    pairs,
    pictures,
    recordings,
    transcripts,
    weights,
)
from kubefit_trainer.preflight.indexing import Indexed
from kubefit_trainer.preflight.labels import Labels
from kubefit_trainer.preflight.manifests import SPLITS

_PICTURE_SECONDS = 10.0
_DATA = "spec.recipe.data"


def check(config: RunConfig, rank: int) -> str | None:
    """One sentence, starting with a field path, on what is wrong; None when nothing is.

    Image files are shared out: each rank looks at every N-th of them.
    """
    try:
        if config.recipe is not None:
            if config.recipe.data is not None:
                _check_images(config, known_as(ImageRecipe, config.recipe), rank)
            else:
                _check_others(config, config.recipe)
        if rank == 0:
            # The chief alone reads them.
            initial_weights.check(config)
    except ConfigurationError as error:
        return str(error)
    return None


def _check_others(config: RunConfig, recipe: Recipe) -> None:
    """Texts and recordings; every worker reads the former, and listens to the latter later on."""
    given, known = recipe.samples, None
    network.check_training(recipe, validates=given.validates)
    if recipe.speech is not None:
        network.check_hearing(recipe.speech)
    for name in SPLITS:
        if getattr(given, name) is None:
            continue
        if recipe.text is not None and recipe.text.writes:
            known = _check_pairs(config, recipe, name, known)
            continue
        labels = _labels_of(recipe, name, Path(config.volume_dir), known=known)
        if known is None:
            known = labels.names
            counts.check(recipe, labels.strata, known, None, workers=config.workers)


def _check_pairs(
    config: RunConfig, recipe: Recipe, name: str, known: list[str] | None
) -> list[str]:
    """Texts with targets have no classes."""
    text = known_as(TextRecipe, recipe).text
    given = getattr(text, name)
    field = f"spec.recipe.text.{name}.{given.source}"
    found = pairs.read(given, text, Path(config.volume_dir), field=field)
    if known is None:
        counts.check(recipe, bytes(len(found.texts)), [], None, workers=config.workers)
    return []


def _labels_of(recipe: Recipe, name: str, volume: Path, *, known: list[str] | None) -> Labels:
    given = getattr(recipe.samples, name)
    field = f"spec.recipe.{recipe.subject}.{name}.{given.source}"
    if recipe.speech is not None and recipe.speech.transcription is not None:
        said = transcripts.index(given, recipe.speech, volume, field=field)
        if recipe.speech.on_unreadable is OnUnreadable.FAIL:
            transcripts.refuse(said, recipe.speech, field=field)
        return Labels(names=[], classes=array("b", bytes(len(said.texts))))
    if recipe.text is None:
        return recordings.index(given, volume, field=field, known=known).labels
    encoding = recipe.text.encoding
    corpus = documents.read(given, volume, encoding=encoding, field=field, known=known)
    if recipe.text.on_unreadable is OnUnreadable.FAIL:
        documents.refuse(corpus, field=field)
    return corpus.labels


def _check_images(config: RunConfig, recipe: ImageRecipe, rank: int) -> None:
    volume, data = Path(config.volume_dir), recipe.data
    field = indexing.field_of(data.train, f"{_DATA}.train")
    train = indexing.index(data.train, data.labels, volume, field=field, known=None)
    names = train.labels.names
    network.check(recipe, classes=len(names), validates=_validates(data, train))
    _check_weights(recipe, volume)
    _check_splits(data, train, volume)
    counts.check(recipe, train.labels.strata, names, train.splits, workers=config.workers)
    if data.on_unreadable is not OnUnreadable.SKIP:  # Those are found when they are decoded.
        _check_pictures(train, config, rank, field=field)
    for name, images in (("validation", data.validation), ("test", data.test)):
        if images is not None:
            field = indexing.field_of(images, f"{_DATA}.{name}")
            found = indexing.index(images, data.labels, volume, field=field, known=names)
            if found.splits is not None:
                counts.check_split(found.splits, name, field=field)
            if data.on_unreadable is not OnUnreadable.SKIP:
                _check_pictures(found, config, rank, field=field)


def _validates(data: Data, train: Indexed) -> bool:
    return data.validates or (train.splits is not None and 1 in train.splits)


def _check_splits(data: Data, train: Indexed, volume: Path) -> None:
    """Splits of a manifest or pack stand alone: what is said twice would be used once."""
    if train.splits is None:
        return
    field = indexing.field_of(data.train, f"{_DATA}.train")
    given = f"{field}: {volume / data.train.paths[0]}"
    if data.validation_split or data.test_split:
        raise ConfigurationError(
            f"{given} has a split of each image; leave validationSplit and testSplit out, or the"
            " column split"
        )
    for place, name in enumerate(SPLITS[1:], start=1):
        if getattr(data, name) is not None and place in train.splits:
            raise ConfigurationError(
                f"{given} has images of the split {name} beside {_DATA}.{name}; leave that"
                " field out, or those images"
            )


def _check_pictures(found: Indexed, config: RunConfig, rank: int, *, field: str) -> None:
    if found.encoded is None:
        return
    ours = range(rank, len(found.encoded), config.workers)
    pictures.check(found.encoded, ours, field=field, seconds=_PICTURE_SECONDS)


def _check_weights(recipe: ImageRecipe, volume: Path) -> None:
    backbone = recipe.model.backbone
    if backbone is not None and weights.needs_file(backbone):
        weights.check(backbone, volume)
