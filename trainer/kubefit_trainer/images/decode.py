"""Encoded images to pixels, no larger than they are needed.

JPEG files with at least twice the pixels that are needed along both sides are halved inside the
decoder, before most of the work, and again. A side that is then still longer than 2.8 times (2 to
the power of 3/2) what is needed is halved by averaging pairs of pixels, so the nearest power of two
is chosen. What is left to do is one bilinear resampling.
"""

import io
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kubefit_trainer.preflight import pictures

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # Errors are told here.
cv2.setNumThreads(1)  # Images are decoded beside each other, not each on several threads.

_REDUCED = (
    0,
    cv2.IMREAD_REDUCED_GRAYSCALE_2,
    cv2.IMREAD_REDUCED_GRAYSCALE_4,
    cv2.IMREAD_REDUCED_GRAYSCALE_8,
)
"""Flags of the decoder by the number of halvings; they say nothing of the colour."""
_AVERAGE = {False: cv2.INTER_LINEAR, True: cv2.INTER_AREA}
"""Linear interpolation half way between two pixels is their average, and much faster."""
_JPEG = b"\xff\xd8"
_HALVED_FROM = 2.0**1.5
Pixels = NDArray[np.uint8]


class UnreadableImageError(Exception):
    """The reason why an image cannot be decoded, in a few words."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded image, perhaps at reduced size."""

    pixels: Pixels
    """Shape (height, width, channels)."""
    extent: tuple[float, float]
    """Height and width of the whole image in these pixels; halving an odd side leaves a half."""


def decode(
    data: bytes,
    *,
    channels: int,
    needed: tuple[int, int],
    size: tuple[int, int] | None = None,
) -> Picture:
    """The upright picture in RGB or gray; transparency is dropped, 16 bits become 8.

    `needed` is the (height, width) below which no side is reduced; `size` are those of the image as
    they are stored, where they are known.

    Raises:
        UnreadableImageError: the data are no image, broken off, or too large.

    """
    size = size or dimensions(data)
    # Whether the image stands upright is not known yet, so both sides are held to the larger need.
    fits = min(size) / max(needed)
    halvings = min(3, max(0, int(math.log2(fits)))) if data.startswith(_JPEG) else 0
    flag = _REDUCED[halvings] | (cv2.IMREAD_COLOR_RGB if channels == 3 else 0)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error as error:
        raise UnreadableImageError(str(error.err)) from error
    if pixels is None:
        raise UnreadableImageError("it is damaged or breaks off")
    pixels = pixels.reshape(*pixels.shape[:2], channels)
    upright = size if (size[0] > size[1]) == (pixels.shape[0] > pixels.shape[1]) else size[::-1]
    extent = (upright[0] / 2**halvings, upright[1] / 2**halvings)
    return halved(Picture(pixels, extent), needed)


def dimensions(data: bytes) -> tuple[int, int]:
    """Height and width as they are stored, which may be lying on a side.

    Raises:
        UnreadableImageError: the data are no image.

    """
    try:
        with Image.open(io.BytesIO(data), formats=pictures.FORMATS) as image:
            return image.height, image.width
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadableImageError(pictures.reason(error, empty=not data)) from error


def halved(picture: Picture, needed: tuple[float, float]) -> Picture:
    """The picture with each side halved while it is more than 2.8 times as long as `needed`."""
    pixels, (height, width) = picture.pixels, picture.extent
    down, across = _times(height / needed[0]), _times(width / needed[1])
    if down == across == 1:
        return picture
    rows, columns = pixels.shape[0] // down, pixels.shape[1] // across
    cut = pixels[: rows * down, : columns * across]
    small: Pixels = cv2.resize(cut, (columns, rows), interpolation=_AVERAGE[max(down, across) > 2])
    return Picture(small.reshape(rows, columns, -1), (height / down, width / across))


def _times(ratio: float) -> int:
    times = 1
    while ratio > _HALVED_FROM * times:
        times *= 2
    return times
