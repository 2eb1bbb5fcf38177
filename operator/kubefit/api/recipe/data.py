"""`spec.recipe.data`: where the samples are and how they are read."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from kubefit.api.base import Model, rule

SOURCES = ("folder", "manifest", "packed", "npz", "npy", "tfrecord", "tfds")
_ONE_SOURCE = f"set exactly one of {', '.join(SOURCES[:-1])} and {SOURCES[-1]}"


class NpyFiles(Model):
    """Two NumPy files, which stay on the disk and are read image by image."""

    images: Annotated[str, Field(min_length=1)]
    """`.npy` file of uint8 images (N, height, width[, channels])."""
    labels: Annotated[str, Field(min_length=1)]
    """`.npy` file of labels, as in an archive."""


class TFRecordFiles(Model):
    """TFRecord files of `tf.train.Example`, and the names of their features."""

    files: Annotated[str, Field(min_length=1)]
    """A folder with nothing else in it, or files of one such as `data/train-*.tfrecord`."""
    image_key: Annotated[str, Field(min_length=1)] = "image/encoded"
    """Feature with the encoded image, such as a JPEG or PNG file."""
    label_key: Annotated[str, Field(min_length=1)] = "image/class/label"
    """Feature with the label: a class number from 0, or the name of a class.

    With `data.labels` multiLabel any number of them; with regression numbers.
    """
    classes: Annotated[list[str], Field(min_length=1, max_length=65536)] | SkipJsonSchema[None] = (
        None
    )
    """Names of the class numbers."""


class Tfds(Model):
    """A set that TensorFlow Datasets has prepared, as TFRecord files."""

    folder: Annotated[str, Field(min_length=1)]
    """Folder of one version, with `dataset_info.json` and `features.json`."""
    split: Annotated[str, Field(min_length=1)] = "train"
    """Split as TensorFlow Datasets names it, whole."""
    image_key: Annotated[str, Field(min_length=1)] = "image"
    """Feature with the image."""
    label_key: Annotated[str, Field(min_length=1)] = "label"
    """Feature with the label."""


class Images(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [
            rule(
                "["
                + ", ".join(f"has(self.{source})" for source in SOURCES)
                + "].filter(x, x).size() == 1",
                _ONE_SOURCE,
            ),
        ]
    },
):
    """A set of labelled images.

    Relative paths are relative to the volume, absolute ones lie in `spec.volumes` or in the image.
    """

    folder: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """Folder with a sub-folder of PNG, JPEG, WebP, BMP or GIF images per class, sorted by name.

    Images in folders below that belong to the class too.
    """
    manifest: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """CSV or `.parquet` file with the columns path and label.

    Paths are relative to the file's folder, or absolute and lie in `spec.volumes` or in the image.
    Optional columns: split (train, validation or test) and weight (of the image in the loss).
    """
    label_columns: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=253)]],
        Field(min_length=1, max_length=1024),
    ] = ["label"]
    """Columns of the manifest with the labels.

    With `data.labels` multiLabel either one, which lists classes, or one for each class with 0 or
    1; with regression one for each number to predict.
    """
    label_separator: Annotated[str, Field(min_length=1, max_length=8)] = "|"
    """What stands between the classes that one column lists."""
    packed: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """Folder that `kubefit data pack` wrote; it tells labels, splits and weights too."""
    npz: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """NumPy archive: uint8 images (N, height, width[, channels]) and labels (N,)."""
    npy: NpyFiles | SkipJsonSchema[None] = None
    """Images and labels as two `.npy` files."""
    tfrecord: TFRecordFiles | SkipJsonSchema[None] = None
    """TFRecord files with encoded images, not compressed as a whole."""
    tfds: Tfds | SkipJsonSchema[None] = None
    """A prepared folder of TensorFlow Datasets."""
    images_key: Annotated[str, Field(min_length=1)] = "x"
    """Name of the array of images in the archive."""
    labels_key: Annotated[str, Field(min_length=1)] = "y"
    """Name of the array of labels in the archive: class numbers from 0, shape (images,).

    With `data.labels` multiLabel 0 or 1 for each class, shape (images, classes); with regression
    numbers, shape (images,) or (images, numbers).
    """

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(getattr(self, source) is not None for source in SOURCES) != 1:
            raise ValueError(_ONE_SOURCE)
        return self

    @property
    def paths(self) -> list[str]:
        """Files and folders where the images lie."""
        if self.npy is not None:
            return [self.npy.images, self.npy.labels]
        if self.tfrecord is not None:
            return [self.tfrecord.files]
        if self.tfds is not None:
            return [self.tfds.folder]
        return [path for path in (self.folder, self.manifest, self.packed, self.npz) if path]


class LabelKind(StrEnum):
    """What is known of each sample."""

    SINGLE_LABEL = "singleLabel"
    """One of two or more classes."""
    MULTI_LABEL = "multiLabel"
    """Any number of classes, none included."""
    REGRESSION = "regression"
    """Numbers."""
    TEXT = "text"
    """A text of its own, such as what is said in a recording."""


ImageLabels = Literal[LabelKind.SINGLE_LABEL, LabelKind.MULTI_LABEL, LabelKind.REGRESSION]
"""What can be known of each image."""


ONE_VALIDATION = "set validation or validationSplit, not both"


class ClassWeights(StrEnum):
    """How much the classes weigh in the loss."""

    NONE = "none"
    BALANCED = "balanced"
    """Inversely to the number of training images of each class; the mean weight is 1."""


class OnUnreadable(StrEnum):
    """What becomes of images that cannot be read."""

    FAIL = "fail"
    """The job ends and names them."""
    SKIP = "skip"
    """They are left out on every worker, and counted and named."""


class Cache(StrEnum):
    """Where decoded images are kept, each worker those that it has seen.

    Those for which there is no room are decoded in every epoch. Images of arrays need no decoding.
    """

    NONE = "none"
    """Nowhere."""
    MEMORY = "memory"
    """In memory, up to 512 MiB of each set of images."""
    DISK = "disk"
    """In a temporary file of the pod's own disk, of which 15 % are left free."""


_SETS = ("train", "validation", "test")
_CLASS_FOLDERS = (
    "a folder tells one class of each image; with labels multiLabel or regression use another"
    " source"
)
_ONE_COLUMN = "labelColumns names one column with labels singleLabel"
_NO_CLASS_WEIGHTS = "classWeights needs labels singleLabel"


def _of_each_set(condition: str) -> str:
    """A CEL condition that holds for each set of images that there is."""
    sets = [f"(!has(self.{name}) || {condition.replace('it.', f'self.{name}.')})" for name in _SETS]
    return " && ".join(sets)


ONE_TEST = "set at most one of test and testSplit, and leave something to train on"


class Data(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [
            rule("!has(self.validation) || self.validationSplit == 0.0", ONE_VALIDATION),
            rule(
                "(!has(self.test) || self.testSplit == 0.0) &&"
                " self.testSplit + self.validationSplit < 1.0",
                ONE_TEST,
            ),
            rule(
                "self.labels == 'singleLabel' || (" + _of_each_set("!has(it.folder)") + ")",
                _CLASS_FOLDERS,
            ),
            rule(
                "self.labels != 'singleLabel' || ("
                + _of_each_set("it.labelColumns.size() == 1")
                + ")",
                _ONE_COLUMN,
            ),
            rule("self.labels == 'singleLabel' || self.classWeights == 'none'", _NO_CLASS_WEIGHTS),
        ]
    },
):
    """Where the images are and how they are read."""

    train: Images
    """Training images; the validation split is taken from them."""
    test: Images | SkipJsonSchema[None] = None
    """Images for the evaluation after training. Without them the validation split is evaluated."""
    validation: Images | SkipJsonSchema[None] = None
    """Images that training is validated on after every epoch, in place of `validationSplit`."""
    labels: ImageLabels = LabelKind.SINGLE_LABEL
    """What is known of each image: one class, any number of classes, or numbers."""
    validation_split: Annotated[float, Field(ge=0.0, le=0.9)] = 0.0
    """Share of the training images held out for validation.

    Chosen by the seed, of each class alike where there are classes, the same for any number of
    workers.
    """
    test_split: Annotated[float, Field(ge=0.0, le=0.9)] = 0.0
    """Share of the training images held out for the evaluation after training, chosen likewise."""
    class_weights: ClassWeights = ClassWeights.NONE
    """How much the classes weigh in the loss of training."""
    on_unreadable: OnUnreadable = OnUnreadable.FAIL
    """What becomes of images that cannot be read: corrupt, cut short, empty or too large.

    With `skip` every image is decoded once before training, shared out over the workers.
    """
    cache: Cache = Cache.MEMORY
    """Where decoded images are kept, so that later epochs need not decode them."""
    image_size: Annotated[
        list[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=2, max_length=2)
    ]
    """Height and width in pixels to which every image is resized."""
    channels: Annotated[int, Field(ge=1, le=3, json_schema_extra={"enum": [1, 3]})] = 3
    """1 for grayscale, 3 for RGB."""

    @model_validator(mode="after")
    def _gray_or_rgb(self) -> Self:
        if self.channels not in (1, 3):
            raise ValueError(f"channels: {self.channels} is not 1 (grayscale) or 3 (RGB)")
        if self.validation is not None and self.validation_split > 0:
            raise ValueError(ONE_VALIDATION)
        return self

    @model_validator(mode="after")
    def _splits_fit(self) -> Self:
        if (self.test is not None and self.test_split) or (
            self.test_split + self.validation_split >= 1
        ):
            raise ValueError(ONE_TEST)
        return self

    @model_validator(mode="after")
    def _labels_fit(self) -> Self:
        sets = [images for name in _SETS if (images := getattr(self, name)) is not None]
        if self.labels is LabelKind.SINGLE_LABEL:
            if any(len(images.label_columns) > 1 for images in sets):
                raise ValueError(_ONE_COLUMN)
        elif any(images.folder for images in sets):
            raise ValueError(_CLASS_FOLDERS)
        elif self.class_weights is not ClassWeights.NONE:
            raise ValueError(_NO_CLASS_WEIGHTS)
        return self

    @property
    def validates(self) -> bool:
        """Whether there are images to validate on."""
        return self.validation is not None or self.validation_split > 0
