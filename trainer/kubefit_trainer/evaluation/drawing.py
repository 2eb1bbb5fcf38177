"""Pictures of figures, for viewers that show nothing but pixels: a confusion matrix, a mistake."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from kubefit_trainer.evaluation.findings import Evaluation, Mistake

Pixels = NDArray[np.uint8]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_CELL, _NAMES, _LINE = 40, 150, 16
_NUMBERED = 30
"""Classes up to which the cells have their numbers in them."""
_SIDE = 256
"""Pixels of the longer side of a picture of a mistake."""
_LONGEST = 40
"""Characters of a name, at most."""


def matrix(evaluation: Evaluation) -> Pixels | None:
    """The confusion matrix, (height, width, 3); None if there is none."""
    counts, names = evaluation.matrix, [one.name for one in evaluation.classes]
    if counts is None:
        return None
    size, font = len(counts), ImageFont.load_default(12)
    cell = _CELL if size <= _NUMBERED else max(6, _CELL * _NUMBERED // size)
    image = Image.new("RGB", (_NAMES + size * cell, _NAMES + size * cell), "white")
    draw = ImageDraw.Draw(image)
    largest = max(1, *(max(row) for row in counts))
    for i, row in enumerate(counts):
        for j, images in enumerate(row):
            left, top = _NAMES + j * cell, _NAMES + i * cell
            share = images / largest
            fill = tuple(round(255 + share * (end - 255)) for end in (11, 98, 196))
            draw.rectangle((left, top, left + cell, top + cell), fill=fill, outline="#d5dbe1")
            if size <= _NUMBERED:
                ink = "white" if share > 0.5 else "#1b1f24"
                centre = (left + cell / 2, top + cell / 2)
                draw.text(centre, str(images), fill=ink, font=font, anchor="mm")
    if size <= _NUMBERED:
        for i, name in enumerate(names):
            middle = _NAMES + i * cell + cell / 2
            draw.text((_NAMES - 4, middle), _cut(name, 22), "#1b1f24", font, anchor="rm")
        image.paste(_upwards(names, cell, font), (_NAMES, 0))
    draw.text((4, 4), "rows: actual\ncolumns: predicted", "#59636e", font)
    return np.asarray(image)


def _upwards(names: Sequence[str], cell: int, font: Font) -> Image.Image:
    """Names of the columns, to be read from below."""
    across = Image.new("RGB", (_NAMES, len(names) * cell), "white")
    draw = ImageDraw.Draw(across)
    for i, name in enumerate(names):
        draw.text((4, i * cell + cell / 2), _cut(name, 22), "#1b1f24", font, anchor="lm")
    return across.transpose(Image.Transpose.ROTATE_90)


def mistake(one: Mistake, pictures: Sequence[Pixels]) -> Pixels:
    """Pictures side by side, (height, width, 3), with the truth and the prediction below."""
    font = ImageFont.load_default(12)
    wide = [_enlarged(picture) for picture in pictures]
    row = np.concatenate(wide, axis=1)
    image = Image.new("RGB", (row.shape[1], row.shape[0] + 3 * _LINE), "white")
    image.paste(Image.fromarray(row), (0, 0))
    text = f"actual {_cut(one.actual)}\npredicted {_cut(one.predicted)}\n{_cut(one.image)}"
    ImageDraw.Draw(image).text((4, row.shape[0] + 2), text, "#1b1f24", font, spacing=2)
    return np.asarray(image)


def _enlarged(picture: Pixels) -> Pixels:
    colours = np.broadcast_to(picture, (*picture.shape[:2], 3))
    height, width = picture.shape[:2]
    scale = _SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    kind = cv2.INTER_NEAREST if scale > 1 else cv2.INTER_AREA
    found: Pixels = np.asarray(
        cv2.resize(np.ascontiguousarray(colours), size, interpolation=kind), np.uint8
    )
    return found


def _cut(name: str, longest: int = _LONGEST) -> str:
    plain = " ".join(name.split())
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"
