"""Whether there are images enough for classes, splits and workers, and what a split holds out."""

from collections import Counter
from collections.abc import Sequence

from kubefit.api.recipe import AUTO, LabelKind, Recipe
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import indexing
from kubefit_trainer.preflight.manifests import SPLITS


def check(
    recipe: Recipe,
    strata: Sequence[int],
    names: list[str],
    splits: Sequence[int] | None,
    *,
    workers: int,
) -> None:
    """Checks the training images, from which splits are given, or yet to be held out.

    Args:
        recipe: What is to be trained.
        strata: Class of each image, or the same number of all where they have none.
        names: Of the classes.
        splits: Place of each image's split in `manifests.SPLITS`, where it is given.
        workers: Each needs an image of every step.

    Raises:
        ConfigurationError: naming the class or the field that there are too few images for.

    """
    images = len(strata)
    if splits is not None and recipe.data is not None:
        field = indexing.field_of(recipe.data.train, "spec.recipe.data.train")
        check_split(splits, "train", field=field)
        strata = [stratum for stratum, part in zip(strata, splits, strict=True) if part == 0]
    found = Counter(strata)
    if recipe.samples.labels is LabelKind.SINGLE_LABEL and not recipe.writes:
        _check_classes(recipe, {name: found[place] for place, name in enumerate(names)})
    _check_workers(recipe, list(found.values()), images=images, workers=workers)


def check_split(splits: Sequence[int], split: str, *, field: str) -> None:
    """Checks that there are images of a split that is wanted, where splits are given.

    Raises:
        ConfigurationError: it has none.

    """
    if SPLITS.index(split) not in splits:
        raise ConfigurationError(
            f"{field}: none of its {len(splits)} images has the split {split}; name some, or leave"
            " the column split out"
        )


def held_out(classes: Sequence[int], share: float) -> list[int]:
    """How many samples of each class a split holds out, given how many each class has.

    As many of each class as its size demands (largest remainders), at least one sample in all, and
    never the last sample of a class.
    """
    if share <= 0:
        return [0] * len(classes)
    wanted = max(1, round(sum(classes) * share))
    held = [min(int(count * share), max(0, count - 1)) for count in classes]
    by_remainder = sorted(range(len(classes)), key=lambda i: (classes[i] * share) % 1, reverse=True)
    while sum(held) < wanted:
        open_ = [i for i in by_remainder if held[i] < classes[i] - 1]
        if not open_:
            break
        for i in open_[: wanted - sum(held)]:
            held[i] += 1
    return held


def _check_classes(recipe: Recipe, counts: dict[str, int]) -> None:
    field, kind = f"spec.recipe.{recipe.subject}.train", recipe.kind
    share = recipe.samples.validation_split + recipe.samples.test_split
    present = [name for name, count in counts.items() if count]
    if len(present) == 1:
        raise ConfigurationError(
            f"{field}: only class {present[0]!r} has {kind}; a classifier needs two or more"
        )
    for name, count in counts.items():
        if share and count == 1:
            raise ConfigurationError(
                f"{field}: class {name!r} has one {kind[:-1]}, which validationSplit and"
                f" testSplit cannot share out; add {kind} or take the class out"
            )


def _check_workers(recipe: Recipe, counts: list[int], *, images: int, workers: int) -> None:
    data, batch = recipe.samples, recipe.training.global_batch_size
    tested = held_out(counts, data.test_split)
    rest = [count - held for count, held in zip(counts, tested, strict=True)]
    left = sum(rest) - sum(held_out(rest, data.validation_split / (1.0 - data.test_split)))
    if left < workers:
        raise ConfigurationError(
            f"spec.workers: {workers} workers are more than the {left} training"
            f" {recipe.kind}"
            f" (of {images}, validationSplit {data.validation_split:g}"
            f"{f', testSplit {data.test_split:g}' if data.test_split else ''})"
        )
    if batch != AUTO and batch < workers:
        raise ConfigurationError(
            f"spec.recipe.training.globalBatchSize: {batch} is less than the {workers}"
            " workers; each needs at least one image of every step"
        )
