"""`spec.recipe.data`: where the samples are and how they are read."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from kubefit.api.base import Model, rule

_ONE_SOURCE = "set exactly one of folder, manifest, packed and npz"


class Images(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [
            rule(
                "[has(self.folder), has(self.manifest), has(self.packed), has(self.npz)]"
                ".filter(x, x).size() == 1",
                _ONE_SOURCE,
            ),
        ]
    },
):
    """A set of labelled images.

    Relative paths are relative to the volume, absolute ones lie in the image.
    """

    folder: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """Folder with a sub-folder of PNG, JPEG, WebP, BMP or GIF images per class, sorted by name.

    Images in folders below that belong to the class too.
    """
    manifest: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """CSV file with the columns path (relative to the file's folder) and label.

    Optional columns: split (train, validation or test) and weight (of the image in the loss).
    """
    packed: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """Folder that `kubefit data pack` wrote."""
    npz: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """NumPy archive: uint8 images (N, height, width[, channels]) and labels (N,)."""
    images_key: Annotated[str, Field(min_length=1)] = "x"
    """Name of the array of images in the archive."""
    labels_key: Annotated[str, Field(min_length=1)] = "y"
    """Name of the array of integer labels, 0 to classes - 1, in the archive."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [self.folder, self.manifest, self.packed, self.npz]
        if sum(source is not None for source in given) != 1:
            raise ValueError(_ONE_SOURCE)
        return self


_ONE_VALIDATION = "set validation or validationSplit, not both"


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


_ONE_TEST = "set at most one of test and testSplit, and leave something to train on"


class Data(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [
            rule("!has(self.validation) || self.validationSplit == 0.0", _ONE_VALIDATION),
            rule(
                "(!has(self.test) || self.testSplit == 0.0) &&"
                " self.testSplit + self.validationSplit < 1.0",
                _ONE_TEST,
            ),
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
    validation_split: Annotated[float, Field(ge=0.0, le=0.9)] = 0.0
    """Share of the training images held out for validation.

    Chosen by the seed, of each class alike, the same for any number of workers.
    """
    test_split: Annotated[float, Field(ge=0.0, le=0.9)] = 0.0
    """Share of the training images held out for the evaluation after training, chosen likewise."""
    class_weights: ClassWeights = ClassWeights.NONE
    """How much the classes weigh in the loss of training."""
    on_unreadable: OnUnreadable = OnUnreadable.FAIL
    """What becomes of images that cannot be read: corrupt, cut short, empty or too large.

    With `skip` every image is decoded once before training, shared out over the workers.
    """
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
            raise ValueError(_ONE_VALIDATION)
        return self

    @model_validator(mode="after")
    def _splits_fit(self) -> Self:
        if (self.test is not None and self.test_split) or (
            self.test_split + self.validation_split >= 1
        ):
            raise ValueError(_ONE_TEST)
        return self

    @property
    def validates(self) -> bool:
        """Whether there are images to validate on."""
        return self.validation is not None or self.validation_split > 0
