"""What lies in a folder of classes or another source: classes, sizes, formats, bad files."""

import io
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from kubefit.api.recipe import Images, LabelKind, Tfds
from kubefit_trainer.images.decode import UnreadableImageError, decode
from kubefit_trainer.preflight import archives, examples, indexing, packs, pictures
from kubefit_trainer.preflight.indexing import Encoded
from kubefit_trainer.preflight.labels import Labels

_FIELD = "PATH"
Watch = Callable[[Iterable[int], int], Iterable[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen of one image."""

    size: tuple[int, int]
    """Height and width in pixels as they are stored."""
    kind: str
    """Format and mode, e.g. `JPEG RGB` or `PNG I;16`."""


@dataclass(slots=True, kw_only=True)
class Survey:
    """What lies there."""

    kind: str
    """`folder`, `npz`, `packed`, `manifest` or `tfds`, as in `spec.recipe.data.train`."""
    classes: dict[str, int]
    """Readable images by class, in the order of the class numbers; none with regression."""
    labels: LabelKind = LabelKind.SINGLE_LABEL
    numbers: dict[str, tuple[float, float]] = field(default_factory=dict)
    """With regression the smallest and the largest of each number."""
    sizes: list[tuple[int, int]] = field(default_factory=list)
    """Height and width of each readable image."""
    kinds: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)
    """Files that cannot be read, with the reasons."""


def survey(images: Images, *, labels: LabelKind, full: bool, threads: int, watch: Watch) -> Survey:
    """Looks at all images; with `full` they are decoded, otherwise only their headers are read.

    `watch` is given the numbers of the images and how many there are, and passes them on.

    Raises:
        ConfigurationError: there is nothing of the kind at this path.

    """
    found = indexing.index(images, labels, Path.cwd(), field=_FIELD, known=None)
    encoded, total = found.encoded, len(found.labels)
    if encoded is None:
        return _of_archive(Path(str(images.npz)), labels)
    kind = indexing.field_of(images, "").removeprefix(".")
    result = Survey(kind=kind, labels=labels, classes={})
    readable = array("Q")
    with ThreadPoolExecutor(threads) as pool:
        looks = pool.map(
            lambda sample: _look(encoded, sample, full=full),
            watch(range(total), total),
        )
        for sample, (name, look) in enumerate(looks):
            if isinstance(look, Look):
                readable.append(sample)
                result.sizes.append(look.size)
                result.kinds[look.kind] += 1
            else:
                result.unreadable[name] = look
    _count(result, found.labels, readable)
    return result


def _count(result: Survey, labels: Labels, readable: Sequence[int]) -> None:
    names, rows = labels.names, labels.rows
    if rows is None:
        counts = Counter((labels.classes or ())[sample] for sample in readable)
        result.classes = {name: counts[place] for place, name in enumerate(names)}
        return
    for place, name in enumerate(names):
        column = rows[place :: len(names)]
        found = [column[sample] for sample in readable]
        if result.labels is LabelKind.MULTI_LABEL:
            result.classes[name] = int(sum(found))
        elif found:
            result.numbers[name] = (min(found), max(found))


def images_at(
    path: Path, *, columns: list[str] | None = None, separator: str | None = None
) -> Images:
    """What a recipe would say of this path, as far as file and folder tell.

    `columns` and `separator` are those of a manifest.
    """
    where = str(path.absolute())
    if path.suffix == ".npz":
        return Images(npz=where)
    if path.suffix in (".csv", ".parquet"):
        told = {"labelColumns": columns, "labelSeparator": separator}
        given = {name: value for name, value in told.items() if value}
        return Images.model_validate({"manifest": where, **given})
    if (path / packs.DESCRIPTION).is_file():
        return Images(packed=where)
    if (path / examples.INFO).is_file():
        return Images(tfds=Tfds(folder=where))
    return Images(folder=where)


def labels_of(images: Images) -> LabelKind:
    """What is known of each image, as far as it is told there: a pack tells it."""
    if images.packed is not None:
        return packs.read(Path(images.packed), field=_FIELD).kind
    return LabelKind.SINGLE_LABEL


def _look(encoded: Encoded, sample: int, *, full: bool) -> tuple[str, Look | str]:
    name, data = encoded.name(sample), b""
    try:
        with encoded.open(sample) as file:
            data = file.read()
        with Image.open(io.BytesIO(data), formats=pictures.FORMATS) as image:
            look = Look(size=(image.height, image.width), kind=f"{image.format} {image.mode}")
        if full:
            decode(data, channels=3, needed=(1, 1))
    except UnreadableImageError as error:
        return name, str(error)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return name, pictures.reason(error, empty=not data)
    return name, look


def _of_archive(path: Path, labels: LabelKind) -> Survey:
    archive = archives.read(path, Images(npz=str(path)), labels, known=None, field=_FIELD)
    height, width = archive.images.shape[1:3]
    colours = archive.images.shape[3] if len(archive.images.shape) == 4 else 1
    result = Survey(
        kind="npz",
        labels=labels,
        classes={},
        sizes=[(height, width)] * len(archive.labels),
        kinds=Counter({f"uint8 {'RGB' if colours == 3 else 'L'}": len(archive.labels)}),
    )
    _count(result, archive.labels, range(len(archive.labels)))
    return result


def _of_classes(classes: dict[str, int]) -> Iterator[str]:
    if len(classes) < 2:
        yield "one class is too few; a classifier needs two or more"
    counts = [count for count in classes.values() if count]
    for name, count in classes.items():
        if count == 1:
            yield f"class {name!r} has one image; a validation split cannot hold any back"
    if counts and max(counts) > 10 * min(counts):
        yield (
            f"the largest class has {max(counts)} images, the smallest {min(counts)}; consider"
            " classWeights: balanced"
        )


def warnings(found: Survey) -> list[str]:
    """What makes these images hard or impossible to train on, a sentence each."""
    said = [f"class {name!r} has no image" for name, count in found.classes.items() if not count]
    if found.labels is LabelKind.SINGLE_LABEL:
        said += _of_classes(found.classes)
    modes = {kind.rpartition(" ")[2] for kind in found.kinds}
    if len(modes) > 1:
        said.append(f"modes are mixed ({', '.join(sorted(modes))}); all are converted alike")
    return said
