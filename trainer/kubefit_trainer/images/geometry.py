"""Affine maps of a batch, and the one resampling that carries them out.

A map takes output to input coordinates, both in pixels of the image at its final size with the
centre of the upper left pixel at (0, 0): x' = a x + b y + c, y' = d x + e y + f. It is an array of
shape (2, 3) with the rows (a, b, c) and (d, e, f), the same numbers as in `affine_transform` of
Keras.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from kubefit.api.recipe import Fill
from kubefit_trainer.images.decode import Picture, Pixels, halved

Floats = NDArray[np.float64]

_BORDERS = {
    Fill.REFLECT: cv2.BORDER_REFLECT,
    Fill.NEAREST: cv2.BORDER_REPLICATE,
    Fill.WRAP: cv2.BORDER_WRAP,
    Fill.CONSTANT: cv2.BORDER_CONSTANT,
}


def maps(
    *,
    size: tuple[int, int],
    angle: Floats,
    shear: Floats,
    scale: tuple[Floats, Floats],
    shift: tuple[Floats, Floats],
) -> Floats:
    """Maps (batch, 2, 3) that turn, shear and scale about the centre, then shift.

    Each argument has shape (batch,): `angle` in radians, `shear` the tangent of the lean, `scale`
    input pixels per output pixel along x and y, negative to mirror, `shift` in input pixels along
    x and y.
    """
    cos, sin = np.cos(angle), np.sin(angle)
    a, d = cos * scale[0], sin * scale[0]
    b, e = (shear * cos - sin) * scale[1], (shear * sin + cos) * scale[1]
    centre_y, centre_x = (size[0] - 1) / 2, (size[1] - 1) / 2
    c = centre_x + shift[0] - a * centre_x - b * centre_y
    f = centre_y + shift[1] - d * centre_x - e * centre_y
    return np.stack([np.stack([a, b, c], -1), np.stack([d, e, f], -1)], axis=1)


def identity() -> Floats:
    """The map that changes nothing."""
    return np.eye(2, 3)


def resample(picture: Picture, matrix: Floats, *, size: tuple[int, int], fill: Fill) -> Pixels:
    """The picture at its final size (height, width), changed by the map.

    Resizing and map are one bilinear resampling. Where the map shrinks by two or more the picture
    is halved before.
    """
    height, width = size
    # Plain numbers: NumPy takes longer for six of them than OpenCV for some of the pixels.
    (a, b, c), (d, e, f) = matrix.tolist()
    shrink_y, shrink_x = math.hypot(d, e), math.hypot(a, b)
    small = halved(picture, (max(1.0, height / shrink_y), max(1.0, width / shrink_x)))
    scale_y, scale_x = small.extent[0] / height, small.extent[1] / width
    if scale_x == scale_y == 1.0 and (a, b, c, d, e, f) == (1, 0, 0, 0, 1, 0):
        return small.pixels
    c, f = c * scale_x + (scale_x - 1) / 2, f * scale_y + (scale_y - 1) / 2
    stretched = np.array([(a * scale_x, b * scale_x, c), (d * scale_y, e * scale_y, f)])
    in_colour = small.pixels.shape[2] == 3
    # Four bytes are loaded at once, three one by one: the same numbers in half the time.
    pixels = cv2.cvtColor(small.pixels, cv2.COLOR_RGB2RGBA) if in_colour else small.pixels
    warped: Pixels = cv2.warpAffine(
        pixels,
        stretched,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=_BORDERS[fill],
    )
    return cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB) if in_colour else warped[..., None]
