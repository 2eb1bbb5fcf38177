"""What is drawn for each image of an epoch: pure functions of (seed, epoch, sample).

Each change has its own random numbers, so switching one on or off leaves the others as they were.
"""

from dataclasses import dataclass
from enum import IntEnum, auto

import numpy as np
from numpy.typing import NDArray

from kubefit.api.recipe import Augmentation, Flip
from kubefit_trainer.images import geometry
from kubefit_trainer.images.randomness import Stream, uniforms

Floats = NDArray[np.float64]
_BETA_TRIALS = 32


class Number(IntEnum):
    """Columns of the random numbers of an image."""

    ROTATION = 0
    SHEAR = auto()
    ZOOM = auto()
    MIRROR_X = auto()
    MIRROR_Y = auto()
    SHIFT_X = auto()
    SHIFT_Y = auto()
    CROP = auto()
    CROP_X = auto()
    CROP_Y = auto()
    AREA = auto()
    STRETCH = auto()
    AREA_X = auto()
    AREA_Y = auto()
    BRIGHTNESS = auto()
    RED = auto()
    GREEN = auto()
    BLUE = auto()
    CONTRAST = auto()
    SATURATION = auto()
    HUE = auto()
    GRAYSCALE = auto()
    BLUR = auto()
    ERASING = auto()
    ERASED_AREA = auto()
    ERASED_STRETCH = auto()
    ERASED_X = auto()
    ERASED_Y = auto()
    MIX_KIND = auto()
    CUT_X = auto()
    CUT_Y = auto()


class Operation(IntEnum):
    """Changes from which RandAugment draws."""

    SHEAR = 0
    TRANSLATE_X = auto()
    TRANSLATE_Y = auto()
    ROTATION = auto()
    BRIGHTNESS = auto()
    CONTRAST = auto()
    SATURATION = auto()
    SHARPNESS = auto()
    POSTERIZATION = auto()
    SOLARIZATION = auto()
    AUTO_CONTRAST = auto()
    EQUALIZATION = auto()


_GEOMETRIC = (
    Operation.SHEAR,
    Operation.TRANSLATE_X,
    Operation.TRANSLATE_Y,
    Operation.ROTATION,
)

Box = tuple[int, int, int, int]
"""Upper, left, lower, right; the last two are exclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """All that happens to one image; the defaults change nothing."""

    matrix: Floats
    """Shape (2, 3), see `geometry`."""
    shift: Floats
    """Levels added to red, green and blue."""
    contrast: float = 1.0
    saturation: float = 1.0
    turn: float = 0.0
    gray: bool = False
    blur: float = 0.0
    erased: Box | None = None
    operations: dict[Operation, float]
    """Drawn by RandAugment, with a strength of -1 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """How an image is mixed with its partner."""

    share: float
    """Of the image itself in its label; the rest is the partner's."""
    cut: Box | None
    """Rectangle taken from the partner; None to blend the whole images."""


def changes(
    spec: Augmentation, samples: NDArray[np.int64], *, size: tuple[int, int], seed: int, epoch: int
) -> list[Change]:
    """What happens to each of these samples in that epoch; `size` is (height, width)."""
    u = uniforms(samples, len(Number), stream=Stream.AUGMENTATION, seed=seed, epoch=epoch).T
    signed = 2.0 * u - 1.0
    operations = _operations(spec, samples, seed=seed, epoch=epoch)
    matrices = _matrices(spec, u, operations, size=size)
    shifts = 255.0 * (
        spec.brightness * signed[Number.BRIGHTNESS, :, None]
        + spec.channel_shift * signed[Number.RED : Number.BLUE + 1].T
    )
    contrast = 1.0 + spec.contrast * signed[Number.CONTRAST]
    saturation = 1.0 + spec.saturation * signed[Number.SATURATION]
    turn = spec.hue * signed[Number.HUE]
    gray = u[Number.GRAYSCALE] < spec.grayscale
    blur = spec.blur * u[Number.BLUR]
    return [
        Change(
            matrix=matrices[i],
            shift=shifts[i],
            contrast=float(contrast[i]),
            saturation=float(saturation[i]),
            turn=float(turn[i]),
            gray=bool(gray[i]),
            blur=float(blur[i]),
            erased=_erased(spec, u[:, i], size=size),
            operations=operations[i],
        )
        for i in range(len(samples))
    ]


def _matrices(
    spec: Augmentation,
    u: Floats,
    operations: list[dict[Operation, float]],
    *,
    size: tuple[int, int],
) -> Floats:
    signed = 2.0 * u - 1.0
    extra = (
        np.array([[one.get(kind, 0.0) for kind in _GEOMETRIC] for one in operations])
        .reshape(-1, len(_GEOMETRIC))
        .T
    )
    angle = np.deg2rad(spec.rotation * signed[Number.ROTATION] + 30.0 * extra[Operation.ROTATION])
    lean = np.deg2rad(spec.shear * signed[Number.SHEAR] + 17.0 * extra[Operation.SHEAR])
    kept = 1.0 - spec.crop * u[Number.CROP]
    width, height = _resized_crop(spec, u)
    scale = kept / (1.0 + spec.zoom * signed[Number.ZOOM])
    shift_x = size[1] * (
        spec.translation * signed[Number.SHIFT_X]
        + 0.45 * extra[Operation.TRANSLATE_X]
        + (1.0 - kept) * signed[Number.CROP_X] / 2.0
        + (1.0 - width) * signed[Number.AREA_X] / 2.0
    )
    shift_y = size[0] * (
        spec.translation * signed[Number.SHIFT_Y]
        + 0.45 * extra[Operation.TRANSLATE_Y]
        + (1.0 - kept) * signed[Number.CROP_Y] / 2.0
        + (1.0 - height) * signed[Number.AREA_Y] / 2.0
    )
    mirror_x = _mirror(u[Number.MIRROR_X], spec.flip in (Flip.HORIZONTAL, Flip.BOTH))
    mirror_y = _mirror(u[Number.MIRROR_Y], spec.flip in (Flip.VERTICAL, Flip.BOTH))
    return geometry.maps(
        size=size,
        angle=angle,
        shear=np.tan(lean),
        scale=(scale * width * mirror_x, scale * height * mirror_y),
        shift=(shift_x, shift_y),
    )


def _resized_crop(spec: Augmentation, u: Floats) -> tuple[Floats, Floats]:
    """Shares of width and height that are kept; their product is the drawn share of the area."""
    crop = spec.resized_crop
    if crop is None:
        return np.ones(u.shape[1]), np.ones(u.shape[1])
    area = crop.min_area + (1.0 - crop.min_area) * u[Number.AREA]
    stretch = crop.max_stretch ** (u[Number.STRETCH] - 0.5)
    width = np.minimum(np.sqrt(area) * stretch, 1.0)
    return width, np.minimum(area / width, 1.0)


def _mirror(u: Floats, wanted: bool) -> Floats:
    return np.where(u < 0.5, -1.0, 1.0) if wanted else np.ones_like(u)


def _erased(spec: Augmentation, u: Floats, *, size: tuple[int, int]) -> Box | None:
    if u[Number.ERASING] >= spec.erasing:
        return None
    area = 0.02 + 0.31 * u[Number.ERASED_AREA]
    stretch = 3.3 ** (u[Number.ERASED_STRETCH] - 0.5)
    return _box(
        (np.sqrt(area) / stretch, np.sqrt(area) * stretch),
        (u[Number.ERASED_Y], u[Number.ERASED_X]),
        size=size,
    )


def _box(shares: tuple[float, float], place: tuple[float, float], *, size: tuple[int, int]) -> Box:
    """A rectangle of these shares of height and width; `place` 0 is the upper left, 1 the lower."""
    height, width = (
        min(side, round(share * side)) for share, side in zip(shares, size, strict=True)
    )
    top, left = round(place[0] * (size[0] - height)), round(place[1] * (size[1] - width))
    return top, left, top + height, left + width


def _operations(
    spec: Augmentation, samples: NDArray[np.int64], *, seed: int, epoch: int
) -> list[dict[Operation, float]]:
    wanted = spec.rand_augment
    if wanted is None:
        return [{} for _ in samples]
    kinds = len(Operation)
    u = uniforms(samples, 2 * kinds, stream=Stream.RAND_AUGMENT, seed=seed, epoch=epoch)
    chosen = np.argsort(u[:, :kinds], axis=1)[:, : wanted.operations]
    strength = wanted.magnitude * (2.0 * u[:, kinds:] - 1.0)
    return [
        {Operation(k): float(strength[i, k]) for k in sorted(row)} for i, row in enumerate(chosen)
    ]


def mixes(
    spec: Augmentation, samples: NDArray[np.int64], *, size: tuple[int, int], seed: int, epoch: int
) -> list[Mix | None]:
    """How each of these samples is mixed in that epoch, if at all."""
    if not (spec.mix_up or spec.cut_mix):
        return [None] * len(samples)
    u = uniforms(samples, len(Number), stream=Stream.AUGMENTATION, seed=seed, epoch=epoch)
    cuts = u[:, Number.MIX_KIND] < (0.5 if spec.mix_up else 1.0) if spec.cut_mix else u[:, 0] < 0
    alphas = np.where(cuts, spec.cut_mix, spec.mix_up)
    shares = beta(alphas, samples, seed=seed, epoch=epoch)
    return [
        _cut(share, (row[Number.CUT_Y], row[Number.CUT_X]), size=size)
        if cut
        else Mix(share=float(share), cut=None)
        for share, cut, row in zip(shares, cuts, u, strict=True)
    ]


def _cut(share: float, place: tuple[float, float], *, size: tuple[int, int]) -> Mix:
    side = float(np.sqrt(1.0 - share))
    top, left, bottom, right = _box((side, side), place, size=size)
    return Mix(
        share=1.0 - (bottom - top) * (right - left) / (size[0] * size[1]),
        cut=(top, left, bottom, right),
    )


def beta(alpha: Floats, samples: NDArray[np.int64], *, seed: int, epoch: int) -> Floats:
    """Numbers of the distributions Beta(alpha, alpha), alpha of 0 to 1, both of shape (batch,).

    Jöhnk's method: of pairs X = U^(1/alpha), Y = V^(1/alpha) the first with X + Y <= 1 gives
    X / (X + Y). (M. D. Jöhnk, Metrika 8, 1964.)
    """
    u = uniforms(samples, 2 * _BETA_TRIALS, stream=Stream.BETA, seed=seed, epoch=epoch)
    # In logarithms, as the powers of a small alpha fall below every floating-point number.
    logs = np.log(u.reshape(len(samples), _BETA_TRIALS, 2) + 2.0**-54) / alpha[:, None, None]
    total = np.logaddexp(logs[..., 0], logs[..., 1])
    first = np.argmax(total <= 0.0, axis=1)
    rows = np.arange(len(samples))
    shares: Floats = np.exp(logs[rows, first, 0] - total[rows, first])
    return shares
