"""What lies in a folder of classes or another source: classes, sizes, formats, bad files."""

import io
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from kubefit.api.recipe import Images, LabelKind, Tfds
from kubefit_trainer.images.decode import UnreadableImageError, decode
from kubefit_trainer.preflight import archives, examples, indexing, packs, pictures
from kubefit_trainer.preflight.indexing import Encoded

_FIELD = "PATH"
_KIND = LabelKind.SINGLE_LABEL
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
    """Readable images by class, in the order of the class numbers."""
    sizes: list[tuple[int, int]] = field(default_factory=list)
    """Height and width of each readable image."""
    kinds: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)
    """Files that cannot be read, with the reasons."""


def survey(path: Path, *, full: bool, threads: int, watch: Watch) -> Survey:
    """Looks at all images; with `full` they are decoded, otherwise only their headers are read.

    `watch` is given the numbers of the images and how many there are, and passes them on.

    Raises:
        ConfigurationError: there is nothing of the kind at this path.

    """
    images = images_at(path)
    found = indexing.index(images, _KIND, path, field=_FIELD, known=None)
    classes, labels, encoded = found.labels.names, found.labels.strata, found.encoded
    if encoded is None:
        return _of_archive(path)
    kind = indexing.field_of(images, "").removeprefix(".")
    result = Survey(kind=kind, classes=dict.fromkeys(classes, 0))
    with ThreadPoolExecutor(threads) as pool:
        looks = pool.map(
            lambda sample: _look(encoded, sample, full=full),
            watch(range(len(labels)), len(labels)),
        )
        for label, (name, look) in zip(labels, looks, strict=True):
            if isinstance(look, Look):
                result.classes[classes[label]] += 1
                result.sizes.append(look.size)
                result.kinds[look.kind] += 1
            else:
                result.unreadable[name] = look
    return result


def images_at(path: Path) -> Images:
    """What a recipe would say of this path, as far as file and folder tell."""
    where = str(path.absolute())
    if path.suffix in (".npz", ".csv", ".parquet"):
        return Images.model_validate({"npz" if path.suffix == ".npz" else "manifest": where})
    if (path / packs.DESCRIPTION).is_file():
        return Images(packed=where)
    if (path / examples.INFO).is_file():
        return Images(tfds=Tfds(folder=where))
    return Images(folder=where)


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


def _of_archive(path: Path) -> Survey:
    archive = archives.read(path, Images(npz=str(path)), _KIND, known=None, field=_FIELD)
    counts = Counter(archive.labels.strata)
    height, width = archive.images.shape[1:3]
    colours = archive.images.shape[3] if len(archive.images.shape) == 4 else 1
    return Survey(
        kind="npz",
        classes={str(label): counts[label] for label in range(max(counts) + 1)},
        sizes=[(height, width)] * len(archive.labels),
        kinds=Counter({f"uint8 {'RGB' if colours == 3 else 'L'}": len(archive.labels)}),
    )


def warnings(found: Survey) -> list[str]:
    """What makes these images hard or impossible to train on, a sentence each."""
    counts = {name: count for name, count in found.classes.items() if count}
    said = [f"class {name!r} has no image" for name, count in found.classes.items() if not count]
    if len(found.classes) < 2:
        said.append("one class is too few; a classifier needs two or more")
    said += [
        f"class {name!r} has one image; a validation split cannot hold any back"
        for name, count in counts.items()
        if count == 1
    ]
    if counts and max(counts.values()) > 10 * min(counts.values()):
        said.append(
            f"the largest class has {max(counts.values())} images, the smallest"
            f" {min(counts.values())}; consider classWeights: balanced"
        )
    modes = {kind.rpartition(" ")[2] for kind in found.kinds}
    if len(modes) > 1:
        said.append(f"modes are mixed ({', '.join(sorted(modes))}); all are converted alike")
    return said
