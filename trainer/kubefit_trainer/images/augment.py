"""Carries out what was drawn for an image: geometry, colour, blur, erasing, in this order."""

import cv2
import numpy as np

from kubefit.api.recipe import Augmentation, Fill
from kubefit_trainer.images import colour, geometry
from kubefit_trainer.images.colour import Levels
from kubefit_trainer.images.decode import Picture, Pixels
from kubefit_trainer.images.draws import Change, Mix, Operation

_TABLED = (
    Operation.BRIGHTNESS,
    Operation.CONTRAST,
    Operation.POSTERIZATION,
    Operation.SOLARIZATION,
    Operation.AUTO_CONTRAST,
    Operation.EQUALIZATION,
)


def needed(spec: Augmentation, size: tuple[int, int]) -> tuple[int, int]:
    """Height and width that images are to keep, so that the smallest crop is not blurred."""
    share = 1.0 - spec.crop
    if spec.resized_crop is not None:
        share *= (spec.resized_crop.min_area / spec.resized_crop.max_stretch) ** 0.5
    return int(np.ceil(size[0] / share)), int(np.ceil(size[1] / share))


def resized(picture: Picture, *, size: tuple[int, int]) -> Pixels:
    """The picture at its final size, unchanged otherwise."""
    return geometry.resample(picture, geometry.identity(), size=size, fill=Fill.NEAREST)


def augmented(picture: Picture, change: Change, *, size: tuple[int, int], fill: Fill) -> Pixels:
    """The changed picture at its final size, uint8 (height, width, channels)."""
    pixels = geometry.resample(picture, change.matrix, size=size, fill=fill)
    pixels = _recoloured(pixels, change)
    if change.blur > 0:
        pixels = colour.blur(pixels, change.blur)
    if change.erased is not None:
        top, left, bottom, right = change.erased
        mean = np.rint(cv2.mean(pixels)[: pixels.shape[2]]).astype(np.uint8)
        pixels = pixels.copy()
        pixels[top:bottom, left:right] = mean
    return pixels


def _recoloured(pixels: Pixels, change: Change) -> Pixels:
    drawn = change.operations
    if change.shift.any() or change.contrast != 1.0 or any(one in drawn for one in _TABLED):
        levels = Levels.of(pixels)
        levels.shift(change.shift[: pixels.shape[2]])
        levels.contrast(change.contrast)
        for operation, strength in drawn.items():
            _into_table(levels, operation, strength)
        pixels = levels.apply(pixels)
    if pixels.shape[2] == 3:
        if change.turn or change.saturation != 1.0:
            pixels = colour.hue_and_saturation(pixels, turn=change.turn, factor=change.saturation)
        kept = 0.0 if change.gray else 1.0 + drawn.get(Operation.SATURATION, 0.0)
        if kept != 1.0:
            pixels = colour.mix_channels(pixels, colour=kept)
    if Operation.SHARPNESS in drawn:
        pixels = colour.sharpen(pixels, drawn[Operation.SHARPNESS])
    return pixels


def _into_table(levels: Levels, operation: Operation, strength: float) -> None:
    match operation:
        case Operation.BRIGHTNESS:
            levels.shift(255.0 * strength)
        case Operation.CONTRAST:
            levels.contrast(1.0 + strength)
        case Operation.POSTERIZATION:
            levels.posterize(8 - round(6 * abs(strength)))
        case Operation.SOLARIZATION:
            levels.solarize(256.0 * (1.0 - abs(strength)))
        case Operation.AUTO_CONTRAST:
            levels.auto_contrast()
        case Operation.EQUALIZATION:
            levels.equalize()
        case _:
            pass


def mixed(pixels: Pixels, partner: Pixels, mix: Mix) -> Pixels:
    """The image with a rectangle of its partner, or blended with it."""
    if mix.cut is None:
        blended: Pixels = cv2.addWeighted(pixels, mix.share, partner, 1.0 - mix.share, 0.0)
        return blended.reshape(pixels.shape)
    top, left, bottom, right = mix.cut
    result = pixels.copy()
    result[top:bottom, left:right] = partner[top:bottom, left:right]
    return result
