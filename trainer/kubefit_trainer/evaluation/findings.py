"""`report/evaluation.json`: what the predictions of a trained model are worth.

A number that is not defined, such as the area of a class without images, is null.
"""

from typing import Literal

from kubefit.api.base import Model
from kubefit.api.recipe import Explanation, LabelKind

TEXTS: Literal["texts"] = "texts"
"""What samples have in place of labels where texts are written for them."""


class Averages(Model):
    """Means over the classes."""

    precision: float
    recall: float
    f1: float


class ClassScores(Model):
    """How well one class is told from all others."""

    name: str
    images: int
    """Images of that class."""
    predicted: int
    """Images that the model takes for that class."""
    precision: float
    """Share of those that are of that class."""
    recall: float
    """Share of the images of that class that are found."""
    f1: float
    auc: float | None
    """Area under the ROC curve."""


class Confusion(Model):
    """Images of one class that the model takes for another."""

    actual: str
    predicted: str
    images: int


class Bin(Model):
    """Predictions that are about equally sure."""

    lower: float
    upper: float
    predictions: int
    confidence: float
    """Mean probability that the model gives."""
    share: float
    """Share that is right."""


class Calibration(Model):
    """Whether probabilities are to be believed."""

    expected_error: float
    """Mean distance between confidence and share over all predictions."""
    bins: list[Bin]
    """Those that are not empty."""


class NumberScores(Model):
    """How well one number is predicted."""

    name: str
    mean_absolute_error: float | None
    root_mean_squared_error: float | None
    r2: float | None
    """Share of the variance that is explained."""
    bias: float | None
    """Mean of prediction minus truth."""


class Mistake(Model):
    """One of the images on which the model is most wrong."""

    sample: int
    """Number of the image in its set, from 0."""
    image: str
    """What people find the image by."""
    actual: str
    predicted: str
    error: float
    """How wrong it is; the larger, the worse."""


class Written(Model):
    """What the model writes for one text."""

    text: str
    target: str
    written: str
    right: bool


class Explained(Model):
    """Why the model answers as it does to one image."""

    sample: int
    method: Explanation
    answer: str
    """Class, or number, whose reasons are shown."""
    layer: str | None = None
    """Whose map Grad-CAM looked at."""
    difference: float | None = None
    """What integrated gradients explain: the answer before the last activation, less that to a
    black image."""
    gap: float | None = None
    """How far their sum is from that, as a share of it."""
    complete: bool | None = None
    """Whether the gap is at most 5 %."""


class Evaluation(Model):
    """All figures of one evaluation; fields that do not apply to the labels are empty."""

    labels: LabelKind | Literal["texts"]
    split: str
    """`test` or `validation`."""
    images: int
    not_finite: int = 0
    """Images for which the model gives no finite numbers."""
    metrics: dict[str, float | None]
    averages: dict[str, Averages] = {}
    """`macro`: all classes alike; `weighted`: by images; `micro`: all decisions alike."""
    classes: list[ClassScores] = []
    matrix: list[list[int]] | None = None
    """Images by actual class (rows) and predicted class, in the order of `classes`, if few."""
    confusions: list[Confusion] = []
    """The most frequent ones first."""
    calibration: Calibration | None = None
    numbers: list[NumberScores] = []
    written: list[Written] = []
    """The first ones."""
    mistakes: list[Mistake] = []
    """The worst first."""
    explained: list[Explained] = []
    """Of the mistakes."""
    unexplained: str = ""
    """Why an explanation that was asked for is missing."""
