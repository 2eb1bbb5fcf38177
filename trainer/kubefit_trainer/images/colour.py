"""Changes of colour: one table for all that concerns a channel alone, then one mixing of channels.

A table gives the new level of each of the 256 levels of each channel, shape (256, channels). Steps
on it are exact: it is rounded once, when all are done. What a step must know of the image, such as
its mean, follows from the histogram.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kubefit_trainer.images.decode import Pixels

Table = NDArray[np.float64]
_LUMA = np.array([0.2989, 0.587, 0.114])
"""Weights of red, green and blue in ITU-R BT.601, as Keras and TensorFlow round them."""


@dataclass(slots=True)
class Levels:
    """The histogram of an image and a table that is being made for it."""

    histogram: NDArray[np.float64]
    """Share of the pixels of each level and channel, shape (256, channels)."""
    table: Table

    @classmethod
    def of(cls, pixels: Pixels) -> "Levels":
        """The table that changes nothing."""
        channels = range(pixels.shape[2])
        counts = [cv2.calcHist([pixels], [c], None, [256], [0, 256]).ravel() for c in channels]
        histogram = np.stack(counts, axis=1) / pixels[..., 0].size
        table = np.repeat(np.arange(256.0)[:, None], pixels.shape[2], axis=1)
        return cls(histogram, table)

    def shift(self, levels: float | NDArray[np.float64]) -> None:
        """Adds so many levels, the same for all channels or one number each."""
        self._set(self.table + levels)

    def contrast(self, factor: float) -> None:
        """Multiplies the distance of each level from the mean of its channel."""
        mean = (self.histogram * self.table).sum(axis=0)
        self._set(mean + factor * (self.table - mean))

    def posterize(self, bits: int) -> None:
        """Keeps the highest bits of each level."""
        step = 2.0 ** (8 - bits)
        self._set(np.floor(np.floor(self.table) / step) * step)

    def solarize(self, threshold: float) -> None:
        """Inverts the levels from the threshold on."""
        self._set(np.where(self.table < threshold, self.table, 255.0 - self.table))

    def auto_contrast(self) -> None:
        """Stretches each channel to the whole range."""
        present = self.histogram > 0
        low = np.where(present, self.table, np.inf).min(axis=0)
        high = np.where(present, self.table, -np.inf).max(axis=0)
        flat = high <= low
        stretched = (self.table - low) * (255.0 / np.where(flat, 1.0, high - low))
        self._set(np.where(flat, self.table, stretched))

    def equalize(self) -> None:
        """Spreads each channel so that its levels are about equally frequent."""
        rounded = np.rint(self.table).astype(np.int64)
        for channel in range(rounded.shape[1]):
            counts = np.bincount(rounded[:, channel], self.histogram[:, channel], minlength=256)
            below = np.cumsum(counts)
            first = below[np.flatnonzero(counts)[0]]
            if first < 1.0:
                spread = (below - first) / (1.0 - first) * 255.0
                self.table[:, channel] = spread[rounded[:, channel]].clip(0.0, 255.0)

    def apply(self, pixels: Pixels) -> Pixels:
        """The pixels with their new levels."""
        table = np.rint(self.table).astype(np.uint8)
        changed: Pixels = cv2.LUT(pixels, table[None] if pixels.shape[2] > 1 else table[None, :, 0])
        return changed.reshape(pixels.shape)

    def _set(self, table: Table) -> None:
        self.table = table.clip(0.0, 255.0)


def mix_channels(pixels: Pixels, *, colour: float) -> Pixels:
    """Blends colour (1) with gray (0): `colour` times the image, the rest luma."""
    matrix = colour * np.eye(3) + (1.0 - colour) * _LUMA
    mixed: Pixels = cv2.transform(pixels, matrix)
    return mixed


def hue_and_saturation(pixels: Pixels, *, turn: float, factor: float) -> Pixels:
    """Turns the hue by a share of the circle and multiplies the saturation, in HSV."""
    hsv = cv2.cvtColor(pixels.astype(np.float32) * np.float32(1 / 255), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = np.mod(hsv[..., 0] + np.float32(360 * turn), np.float32(360))
    np.minimum(hsv[..., 1] * np.float32(factor), np.float32(1), out=hsv[..., 1])
    rgb = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    changed: Pixels = cv2.convertScaleAbs(rgb, alpha=255.0)
    return changed


_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13.0


def sharpen(pixels: Pixels, amount: float) -> Pixels:
    """Moves away from (above 0) or towards (down to -1) the smoothed image."""
    kernel = -amount * _SMOOTH
    kernel[1, 1] += 1.0 + amount
    sharp: Pixels = cv2.filter2D(pixels, -1, kernel)
    return sharp.reshape(pixels.shape)


def blur(pixels: Pixels, sigma: float) -> Pixels:
    """Gaussian blur; `sigma` in pixels, the kernel reaches to three of them."""
    side = 2 * int(np.ceil(3 * sigma)) + 1
    smooth: Pixels = cv2.GaussianBlur(
        pixels, (side, side), sigma, borderType=cv2.BORDER_REFLECT_101
    )
    return smooth.reshape(pixels.shape)


def converted(pixels: Pixels, *, channels: int) -> Pixels:
    """RGB as gray and gray as RGB where the number of channels is not the one asked for."""
    if pixels.shape[2] == channels:
        return pixels
    if channels == 1:
        gray: Pixels = cv2.transform(pixels, _LUMA[None])
        return gray.reshape(*pixels.shape[:2], 1)
    return np.repeat(pixels, 3, axis=2)
