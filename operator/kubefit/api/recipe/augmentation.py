"""`spec.recipe.augmentation`: random changes of training samples."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from kubefit.api.base import Fraction, Model


class Flip(StrEnum):
    """Axes along which images are mirrored at random."""

    NONE = "none"
    HORIZONTAL = "horizontal"
    VERTICAL = "vertical"
    BOTH = "both"


class Fill(StrEnum):
    """What lies beyond the edges of an image, as in Keras; shown for the row `abcd`."""

    REFLECT = "reflect"
    """`dcba|abcd|dcba`"""
    NEAREST = "nearest"
    """`aaaa|abcd|dddd`"""
    WRAP = "wrap"
    """`abcd|abcd|abcd`"""
    CONSTANT = "constant"
    """Black."""


class ResizedCrop(Model):
    """A random rectangle of an image, resized to the whole."""

    min_area: Annotated[float, Field(ge=0.05, le=1.0)] = 0.35
    """Smallest share of the area."""
    max_stretch: Annotated[float, Field(ge=1.0, le=4.0)] = 1.3333
    """Largest ratio of the stretches along the two axes."""


class RandAugment(Model):
    """Some of twelve changes of geometry and colour, others for each image.

    Shear, translation along each axis, rotation, brightness, contrast, saturation, sharpness,
    posterization, solarization, automatic contrast and equalization.
    """

    operations: Annotated[int, Field(ge=1, le=6)] = 2
    """Different changes of one image."""
    magnitude: Fraction = 0.3
    """Strength of the strongest change: 0 is none, 1 the utmost."""


class Augmentation(Model):
    """Random changes of training images, drawn anew each epoch from (seed, epoch, image).

    The same on any number of workers. All geometry is one resampling.
    """

    flip: Flip = Flip.NONE
    """Mirrors along these axes with probability one half each."""
    rotation: Annotated[float, Field(ge=0.0, le=180.0)] = 0.0
    """Largest angle in degrees, both ways."""
    shear: Annotated[float, Field(ge=0.0, le=60.0)] = 0.0
    """Largest angle in degrees by which vertical lines lean, both ways."""
    zoom: Annotated[float, Field(ge=0.0, le=0.9)] = 0.0
    """Largest relative change of size, in and out."""
    translation: Fraction = 0.0
    """Largest shift, as a share of height and width."""
    crop: Annotated[float, Field(ge=0.0, le=0.9)] = 0.0
    """Largest share of height and width cut away at a random place; the rest is resized back."""
    resized_crop: ResizedCrop | SkipJsonSchema[None] = None
    """Crops by area and stretches, as networks for ImageNet are trained."""
    fill: Fill = Fill.REFLECT
    """What lies beyond the edges of an image."""
    brightness: Fraction = 0.0
    """Largest shift of brightness, as a share of the range from black to white."""
    channel_shift: Fraction = 0.0
    """The same for each channel by itself."""
    contrast: Fraction = 0.0
    """Largest relative change of contrast."""
    saturation: Fraction = 0.0
    """Largest relative change of saturation; needs colour images."""
    hue: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0
    """Largest shift of hue, in turns of the colour circle; needs colour images."""
    grayscale: Fraction = 0.0
    """Probability of losing all colour; needs colour images."""
    blur: Annotated[float, Field(ge=0.0, le=16.0)] = 0.0
    """Largest standard deviation of a Gaussian blur in pixels."""
    erasing: Fraction = 0.0
    """Probability of a rectangle, 2 to 33 % of the image, that is filled with the mean colour."""
    rand_augment: RandAugment | SkipJsonSchema[None] = None
    """Changes drawn from a list, on top of all others."""
    mix_up: Fraction = 0.0
    """Mixes each image and its label with another's; the weight is drawn from Beta(a, a)."""
    cut_mix: Fraction = 0.0
    """Pastes a rectangle of another image; its area is drawn from Beta(a, a).

    With mixUp each is used for half of the images.
    """
    label_smoothing: Annotated[float, Field(ge=0.0, le=0.9)] = 0.0
    """Share of each training label that is spread evenly over all classes."""
