"""What can be said of a job's data and network before TensorFlow starts.

Agent and command line call `check`. Imports neither TensorFlow nor NumPy, and writes nothing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from kubefit.api.contract import RunConfig
from kubefit.api.recipe import AUTO, Data, Images, Recipe
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import (
    archives,
    folders,
    manifests,
    network,
    packs,
    pictures,
    weights,
)
from kubefit_trainer.preflight.counts import held_out

_PICTURE_SECONDS = 5.0
_TRAIN = "spec.recipe.data.train"
_OTHERS = ("validation", "test")


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
    classes, counts, files = _look_at(data.train, data, volume, field=_TRAIN, classes=None)
    network.check(recipe, classes=len(classes))
    _check_weights(recipe, volume)
    _check_counts(data, dict(zip(classes, counts, strict=True)))
    _check_workers(config, recipe, counts=counts)
    ours = (files[i] for i in range(rank, len(files), config.workers))
    pictures.check(ours, field=f"{_TRAIN}.{_kind(data.train)}", seconds=_PICTURE_SECONDS)
    for name in _OTHERS:
        images_of = getattr(data, name)
        if images_of is not None:
            field = f"spec.recipe.data.{name}"
            _, _, files = _look_at(images_of, data, volume, field=field, classes=classes)
            ours = (files[i] for i in range(rank, len(files), config.workers))
            pictures.check(ours, field=f"{field}.{_kind(images_of)}", seconds=_PICTURE_SECONDS)


def _kind(images: Images) -> str:
    return "folder" if images.folder is not None else "manifest"


def _look_at(
    images: Images, data: Data, volume: Path, *, field: str, classes: list[str] | None
) -> tuple[list[str], list[int], Sequence[str]]:
    """Names of the classes, images of each, and their files if they are files."""
    if images.folder is not None:
        folder = volume / images.folder
        names = folders.class_names(folder, field=f"{field}.folder")
        found = folders.index(folder, classes or names, field=f"{field}.folder")
        return names, _counts(found.labels, len(names)), found.files
    if images.manifest is not None:
        path = volume / images.manifest
        listed = manifests.read(path, known=classes, field=f"{field}.manifest")
        if listed.splits is not None and (data.validation_split or data.test_split):
            raise ConfigurationError(
                f"{field}.manifest: {path} has a column split; leave validationSplit and testSplit"
                " out, or the column"
            )
        return listed.classes, _counts(listed.labels, len(listed.classes)), listed.files
    if images.packed is not None:
        pack = packs.read(volume / images.packed, field=f"{field}.packed")
        packs.relabelled(pack, known=classes, field=f"{field}.packed")
        return pack.classes, _counts(pack.labels(), len(pack.classes)), []
    archive = archives.read(volume / str(images.npz), images, field=f"{field}.npz")
    names = archives.class_names(archive.labels, known=classes, field=f"{field}.npz")
    return names, _counts(archive.labels, len(names)), []


def _counts(labels: Iterable[int], classes: int) -> list[int]:
    found = Counter(labels)
    return [found[label] for label in range(classes)]


def _check_counts(data: Data, counts: dict[str, int]) -> None:
    share = data.validation_split + data.test_split
    present = [name for name, count in counts.items() if count]
    if len(present) == 1:
        raise ConfigurationError(
            f"{_TRAIN}: only class {present[0]!r} has images; a classifier needs two or more"
        )
    for name, count in counts.items():
        if share and count == 1:
            raise ConfigurationError(
                f"{_TRAIN}: class {name!r} has one image, which validationSplit and testSplit"
                " cannot share out; add images or take the class out"
            )


def _check_weights(recipe: Recipe, volume: Path) -> None:
    backbone = recipe.model.backbone
    if backbone is not None and weights.needs_file(backbone):
        weights.find(backbone, volume)


def _check_workers(config: RunConfig, recipe: Recipe, *, counts: list[int]) -> None:
    data, batch, images = recipe.data, recipe.training.global_batch_size, sum(counts)
    tested = held_out(counts, data.test_split)
    rest = [count - held for count, held in zip(counts, tested, strict=True)]
    left = sum(rest) - sum(held_out(rest, data.validation_split / (1.0 - data.test_split)))
    if left < config.workers:
        raise ConfigurationError(
            f"spec.workers: {config.workers} workers are more than the {left} training images"
            f" (of {images}, validationSplit {data.validation_split:g}"
            f"{f', testSplit {data.test_split:g}' if data.test_split else ''})"
        )
    if batch != AUTO and batch < config.workers:
        raise ConfigurationError(
            f"spec.recipe.training.globalBatchSize: {batch} is less than the {config.workers}"
            " workers; each needs at least one image of every step"
        )
