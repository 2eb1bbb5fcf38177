"""`spec.recipe.augmentation`: random changes of training samples."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from kubefit.api.base import Fraction, Model


class Flip(StrEnum):
    """Axes along which images are mirrored at random."""

    NONE = "none"
    HORIZONTAL = "horizontal"
    VERTICAL = "vertical"
    BOTH = "both"


class Augmentation(Model):
    """Random changes of training images, drawn anew each epoch from (seed, epoch, image)."""

    flip: Flip = Flip.NONE
    """Mirrors along these axes with probability one half each."""
    rotation: Annotated[float, Field(ge=0.0, le=180.0)] = 0.0
    """Largest angle in degrees, both ways."""
    zoom: Annotated[float, Field(ge=0.0, le=0.9)] = 0.0
    """Largest relative change of size, in and out."""
    translation: Fraction = 0.0
    """Largest shift, as a share of height and width."""
    crop: Annotated[float, Field(ge=0.0, le=0.9)] = 0.0
    """Largest share of height and width cut away at a random place; the rest is resized back."""
    contrast: Fraction = 0.0
    """Largest relative change of contrast."""
