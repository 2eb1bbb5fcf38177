"""Pictures as text, for a page that needs no other file."""

import base64
import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

LONGEST = 160
"""Pixels of the longer side, at most."""
_SHARP = 64
"""Pictures up to that size are kept to the pixel."""


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """A picture (height, width, channels) as `data:` address."""
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    kind = "PNG" if max(picture.size) <= _SHARP else "JPEG"
    picture.thumbnail((LONGEST, LONGEST))
    file = io.BytesIO()
    picture.save(file, kind, quality=85)
    text = base64.b64encode(file.getvalue()).decode()
    return f"data:image/{kind.lower()};base64,{text}"


def heated(pixels: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A picture in grey, the hotter the more in colour, from violet to yellow.

    `heat` is 0 to 1 for each place, of whatever size: it is stretched over the picture. The result
    has three channels.
    """
    height, width = pixels.shape[:2]
    grey = pixels.astype(np.float32).mean(axis=2, keepdims=True)
    wide = cv2.resize(heat, (width, height), interpolation=cv2.INTER_LINEAR).clip(0.0, 1.0)
    levels = np.rint(wide * 255).astype(np.uint8)
    colour = cv2.applyColorMap(levels, cv2.COLORMAP_PLASMA)[:, :, ::-1].astype(np.float32)
    share = (0.75 * wide)[:, :, None]
    mixed: NDArray[np.uint8] = np.rint((1 - share) * grey + share * colour).astype(np.uint8)
    return mixed
